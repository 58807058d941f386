"""The rows of a round, each with the condition under which the log appends it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from decision_service.commands.early_outcomes import early_outcomes
from decision_service.log.base import NewRow
from decision_service.log.condition import AppendCondition, Query, kinds_that_change
from decision_service.log.keys import decision_key
from decision_service.pipeline.draft import Draft
from decision_service.pipeline.item import Item
from decision_service.pipeline.reservations import Reservations
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import DecisionRow, ErasureRow


def new_rows(
    drafts: Mapping[Item, Draft], reservations: Reservations, shopper_keys: ShopperKeys, rulebook: Rulebook
) -> dict[Item, NewRow]:
    """Return the rows of drafts.

    The log refuses a send if its shopper's state has changed since the state was read. It then also refuses each later
    decision about this shopper in the round, because that decision rests on the send.

    Parameters
    ----------
    drafts
        The drafts in their order.
    reservations
        The reservations of the sends.
    shopper_keys
        Returns the key of a shopper: an erasure is found by this key.
    rulebook
        The catalogue in force, which knows the renames since the draw.
    """
    rows, ends = dict[Item, NewRow](), dict[str, bool]()
    for item, draft in drafts.items():
        shopper_id, send, reservation = item.request.shopper_id, draft.send, reservations.held.get(item)
        key = shopper_keys.key(shopper_id) if reservation is None else reservation.shopper
        shoppers = (shopper_id, key)
        condition = AppendCondition(fail_if=(Query((ErasureRow.kind,), shoppers, after=draft.drawn_at),))
        if reservation is not None and send is not None:
            ends[shopper_id] = ends.get(shopper_id, False) or bool(send.ends_on)
        if shopper_id in ends:
            changed = Query(kinds_that_change(ends=ends[shopper_id]), shoppers, after=draft.stored.position)
            condition = AppendCondition(
                (*condition.fail_if, changed), deadline=reservations.deadline, incarnation=reservations.incarnation
            )
        rows[item] = decision_new_row(draft.row, condition, rulebook)
    return rows


def decision_new_row(row: DecisionRow, condition: AppendCondition, rulebook: Rulebook) -> NewRow:
    """Return the row of a decision to be appended; outcomes that were reported before it are logged again behind it."""
    return NewRow(row, decision_key(row.event_id), condition, partial(early_outcomes, row, rulebook))
