"""Degraded holds: the row and the answer of a request while the state store is away. Nothing is sent then."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from decision_service.errors import Unavailable
from decision_service.learning.serving import ServedPolicy
from decision_service.log.base import NewRow
from decision_service.log.condition import AppendCondition, Query
from decision_service.pipeline.item import Item
from decision_service.pipeline.rows import decision_new_row
from decision_service.schemas.decision_answer import degraded_answer
from decision_service.state.base import StateUnavailable
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.decide import is_held_out
from policies.decision_row import degraded_row
from policies.records.rows import DecisionRow, ErasureRow
from policies.shopper.context import shared_context
from policies.shopper.state import NEW_SHOPPER


@dataclass(frozen=True, slots=True)
class DegradedHold:
    """The row and the answer of a request that is held because its shopper's state cannot be read."""

    row: DecisionRow
    body: bytes

    def new_row(self, item: Item, shopper_keys: ShopperKeys, rulebook: Rulebook) -> NewRow:
        """Return the row to be appended, unless the shopper was erased after the request arrived."""
        shoppers = (self.row.shopper_id, shopper_keys.key(self.row.shopper_id))
        condition = AppendCondition(fail_if=(Query((ErasureRow.kind,), shoppers, after=item.seen),))
        return decision_new_row(self.row, condition, rulebook)


def degrade(item: Item, serving: ServedPolicy, seed: bytes, away: StateUnavailable) -> DegradedHold:
    """Hold a request.

    Raises
    ------
    Unavailable
        For a critical trigger: its caller must try again.
    """
    request, rulebook = item.request, serving.rulebook
    if any(trigger.critical for trigger in request.triggers):
        raise Unavailable(f"the shopper's state is away: {away}") from away
    context = shared_context(request, NEW_SHOPPER, rulebook)
    held_out = is_held_out(seed, request.shopper_id, rulebook)
    row = degraded_row(request, rulebook, serving.policy.record, context, held_out=held_out)
    row = msgspec.structs.replace(row, fingerprint=item.fingerprint)
    body = degraded_answer(row, request.ignored).encode()
    return DegradedHold(msgspec.structs.replace(row, answer=body.decode()), body)
