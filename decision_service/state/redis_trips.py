"""The trips to Redis of a batch: one script call reads, one reserves, and one writes what the rows have changed.

One call for a whole batch costs a third of a Redis pipeline with a command for each shopper. The driver encodes each
argument by itself, so everything that grows with the batch is packed into one argument.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from decision_service.state.contents import StoredState
from decision_service.state.pending import NoLongerAllowed, Reservation, Reserved, ReserveResult, StateChanged
from decision_service.state.redis_hashes import RESERVED, Hash, day_name, encode_state, folded_state, stored_state
from decision_service.state.redis_server import ScriptCall
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import ShopperUpdate, StateUpdate
from policies.catalogue.rulebook import millionths
from policies.rules.budget import BudgetDay, utc_day
from policies.shopper.state import NEW_SHOPPER, ShopperState

_RESULTS: dict[int, ReserveResult] = {1: Reserved(), 0: NoLongerAllowed(), -1: StateChanged()}

_pack = msgspec.msgpack.Encoder().encode


def _as_text(encoded: bytes) -> msgspec.Raw:
    """Return bytes packed as a text of any bytes: the scripts cannot unpack bytes as such."""
    return msgspec.Raw(b"\xdb" + len(encoded).to_bytes(4, "big") + encoded)


@dataclass(frozen=True)
class ScriptCalls:
    """Makes the calls of the scripts ``read``, ``reserve`` and ``apply``: their keys and arguments.

    Parameters
    ----------
    meta, pending, spent, pending_costs, uses
        The keys that all shoppers share.
    shoppers
        How the keys of shoppers begin.
    """

    meta: str
    pending: str
    spent: str
    pending_costs: str
    uses: str
    shoppers: str

    def read_call(self, shoppers: Collection[ShopperKey], budget_days: Sequence[BudgetDay]) -> ScriptCall:
        """Return the call that reads shoppers and what was spent on budget days."""
        return [self.meta, self.spent], [self.shoppers, _pack((tuple(shoppers), [*map(day_name, budget_days)]))]

    def reserve_call(self, incarnation: int, reservations: Sequence[Reservation]) -> ScriptCall:
        """Return the call that makes reservations in order."""
        keys = [self.meta, self.pending, self.spent, self.pending_costs]
        return keys, [incarnation, self.shoppers, _pack([*map(_reserve_arguments, reservations)])]

    def apply_call(self, update: StateUpdate, fold_version: int) -> ScriptCall:
        """Return the call that writes what a batch of rows changes."""
        parts = (
            update.before,
            update.after,
            False if update.catalogue is None else update.catalogue,
            fold_version,
            update.mark,
            [(day_name(day), cost) for day, cost in update.spent.items()],
            [(day_name(use), count) for use, count in update.uses.items()],
            [_apply_arguments(shopper, change) for shopper, change in update.shoppers.items()],
        )
        keys = [self.meta, self.pending, self.spent, self.pending_costs, self.uses]
        return keys, [self.shoppers, _pack(parts)]


def _reserve_arguments(reservation: Reservation) -> tuple[Any, ...]:
    send, day = reservation.send, utc_day(reservation.send.send_at)
    return (
        reservation.shopper,
        reservation.version,
        RESERVED + reservation.attempt,
        _as_text(encode_state(send)),
        reservation.catalogue,
        day_name((send.channel, day)),
        millionths(send.cost),
        False if reservation.budget is None else reservation.budget,
        [day_name((channel, day)) for channel in reservation.former_channels],
    )


def _apply_arguments(shopper: ShopperKey, change: ShopperUpdate) -> tuple[Any, ...]:
    return shopper, _state_argument(change.state), change.decided, change.withheld


def _state_argument(state: ShopperState | None) -> msgspec.Raw | str | bool:
    if state is None:
        return False
    return "" if state == NEW_SHOPPER else _as_text(encode_state(state))


def reserve_results(answer: Sequence[int]) -> list[ReserveResult]:
    """Return the result of each reservation."""
    return [_RESULTS[code] for code in answer]


@dataclass(frozen=True)
class ReadAnswer:
    """The answer of the script ``read``.

    Parameters
    ----------
    incarnation, fold_version
        Those of the store that answered, None where the store has none: it was emptied.
    position
        The position that the store contains.
    """

    incarnation: int | None
    fold_version: int | None
    position: int
    _costs: Sequence[bytes | None]
    _hashes: Sequence[Sequence[bytes]]

    @classmethod
    def of(cls, answer: Sequence[Any]) -> ReadAnswer:
        incarnation, position, fold_version, costs, *hashes = answer
        return cls(_number(incarnation), _number(fold_version), position, costs, hashes)

    def stored_states(self, budget_days: Sequence[BudgetDay]) -> list[StoredState]:
        """Return the states of the shoppers, all with the same spending.

        Raises
        ------
        UnreadableState
            When what is stored of a shopper is no state.
        """
        spent = {day: int(cost or 0) for day, cost in zip(budget_days, self._costs, strict=True)}
        return [stored_state(fields, self.position, spent) for fields in self._fields()]

    def folded_states(self, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        """Return the states of the shoppers without pending facts.

        Raises
        ------
        UnreadableState
            When what is stored of a shopper is no state.
        """
        return {shopper: folded_state(fields) for shopper, fields in zip(shoppers, self._fields(), strict=True)}

    def _fields(self) -> Iterator[Hash]:
        for fields in map(iter, self._hashes):
            yield dict(zip(fields, fields, strict=True))


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)
