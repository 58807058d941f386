"""The two trips to Redis of a batch of decisions: one script call reads, and one reserves.

One call for a whole batch costs a third of a Redis pipeline with a command for each shopper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from decision_service.state.base import (
    NoLongerAllowed,
    Reservation,
    Reserved,
    ReserveResult,
    StateChanged,
    StoredState,
)
from decision_service.state.redis_hashes import RESERVED, day_name, encode_state, pending_name, stored_state
from decision_service.state.shopper_keys import ShopperKey
from policies.catalogue.rulebook import millionths
from policies.rules.budget import BudgetDay, utc_day

ScriptCall = tuple[list[str], list[Any]]
"""The keys and the arguments of a script."""

_RESULTS: dict[int, ReserveResult] = {1: Reserved(), 0: NoLongerAllowed(), -1: StateChanged()}


@dataclass(frozen=True)
class ScriptCalls:
    """Makes the calls of the scripts ``read`` and ``reserve``: their keys and arguments.

    Parameters
    ----------
    meta, pending, spent, pending_costs
        The keys that all shoppers share.
    shoppers
        How the keys of shoppers begin.
    """

    meta: str
    pending: str
    spent: str
    pending_costs: str
    shoppers: str

    def read_call(self, shoppers: Sequence[ShopperKey], budget_days: Sequence[BudgetDay]) -> ScriptCall:
        """Return the call that reads shoppers and what was spent on budget days."""
        prefix = self.shoppers
        return [self.meta, self.spent, *[prefix + shopper for shopper in shoppers]], [*map(day_name, budget_days)]

    def reserve_call(self, incarnation: int, reservations: Sequence[Reservation]) -> ScriptCall:
        """Return the call that makes reservations in order."""
        prefix = self.shoppers
        shoppers = [prefix + reservation.shopper for reservation in reservations]
        arguments = [part for reservation in reservations for part in _reserve_arguments(reservation)]
        return [self.meta, self.pending, self.spent, self.pending_costs, *shoppers], [incarnation, *arguments]


def _reserve_arguments(reservation: Reservation) -> Iterator[Any]:
    send, field, day = reservation.send, RESERVED + reservation.attempt, utc_day(reservation.send.send_at)
    yield reservation.version
    yield field
    yield encode_state(send)
    yield pending_name(reservation.shopper, field)
    yield reservation.catalogue
    yield day_name((send.channel, day))
    yield millionths(send.cost)
    yield "" if reservation.budget is None else reservation.budget
    yield len(reservation.former_channels)
    yield from (day_name((channel, day)) for channel in reservation.former_channels)


def reserve_results(answer: Sequence[int]) -> list[ReserveResult]:
    """Return the result of each reservation."""
    return [_RESULTS[code] for code in answer]


def read_incarnation(answer: Sequence[Any]) -> int | None:
    """Return the incarnation of the store that answered, None where the store was emptied."""
    incarnation = answer[0]
    return None if incarnation is None else int(incarnation)


def read_states(answer: Sequence[Any], budget_days: Sequence[BudgetDay]) -> list[StoredState]:
    """Return the states of the shoppers, all with the same spending.

    Raises
    ------
    UnreadableState
        When what is stored of a shopper is no state.
    """
    _, position, costs, *hashes = answer
    spent = {day: int(cost or 0) for day, cost in zip(budget_days, costs, strict=True)}
    return [
        stored_state(dict(zip(islice(fields, 0, None, 2), islice(fields, 1, None, 2), strict=True)), position, spent)
        for fields in hashes
    ]
