"""A state store in memory: the specification of the port, and the proof that a second store can be written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ulid import ULID

from decision_service.state.base import StateUnavailable
from decision_service.state.contents import ContainedLog, StoredState
from decision_service.state.pending import (
    NoLongerAllowed,
    Reservation,
    Reserved,
    ReserveResult,
    StateChanged,
    Withdrawal,
)
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import ShopperUpdate, StateUpdate
from policies.catalogue.rulebook import millionths
from policies.rules.budget import BudgetDay, utc_day
from policies.rules.uses import Use
from policies.shopper.fold import FOLD_VERSION, version_for
from policies.shopper.preferences import withhold
from policies.shopper.state import HORIZON_S, NEW_SHOPPER, Send, ShopperState


@dataclass
class Memory:
    """The states of one log, which several stores share."""

    states: dict[ShopperKey, ShopperState] = field(default_factory=dict)
    versions: Counter[ShopperKey] = field(default_factory=Counter)
    pending: dict[tuple[ShopperKey, str], tuple[Reservation | Withdrawal, float]] = field(default_factory=dict)
    spent: Counter[BudgetDay] = field(default_factory=Counter)
    uses: Counter[Use] = field(default_factory=Counter)
    position: int | None = None
    mark: str | None = None
    beginning: str | None = None
    catalogue: int = 0
    incarnation: int | None = None
    begun: str | None = None
    fold_version: int | None = None

    def of(self, shopper: ShopperKey) -> list[Reservation | Withdrawal]:
        return [pending for (key, _), (pending, _) in self.pending.items() if key == shopper]

    def add(self, pending: Reservation | Withdrawal) -> None:
        self.pending[pending.shopper, pending.attempt] = pending, time.time()
        self.versions[pending.shopper] += 1

    def drop(self, shopper: ShopperKey, attempt: str) -> None:
        if self.pending.pop((shopper, attempt), None) is not None:
            self.versions[shopper] += 1

    def spending_of(self, day: BudgetDay) -> int:
        sends = [pending.send for pending, _ in self.pending.values() if isinstance(pending, Reservation)]
        return self.spent[day] + sum(millionths(send.cost) for send in sends if _day(send) == day)


def _day(send: Send) -> BudgetDay:
    return send.channel, utc_day(send.send_at)


def _is_settled(pending: Reservation | Withdrawal, change: ShopperUpdate) -> bool:
    if isinstance(pending, Reservation):
        return pending.attempt.rpartition("/")[0] in change.decided
    field, _, _ = pending.path.partition(".")
    head, names_head, _ = pending.attempt.partition("/")
    return max(change.withheld.get(path, 0) for path in (pending.path, field)) > (int(head) if names_head else 0)


class MemoryStateStore:
    def __init__(self, memory: Memory, fold_version: int = FOLD_VERSION) -> None:
        self._memory = memory
        self._fold_version = fold_version
        self.horizon_s = HORIZON_S
        self.incarnation: int | None = None

    def keep_sends_for(self, horizon_s: float) -> None:
        self.horizon_s, self._fold_version = horizon_s, version_for(horizon_s)

    def _check_trusted(self) -> None:
        if self.incarnation is None:
            raise StateUnavailable("the state store has not caught up with the log")
        if self._memory.incarnation != self.incarnation:
            self.distrust()
            raise StateUnavailable("the state store began anew")

    def _read(self, shopper: ShopperKey, position: int, days: Sequence[BudgetDay]) -> StoredState:
        memory = self._memory
        state = folded = memory.states.get(shopper, ShopperState())
        for pending in memory.of(shopper):
            if isinstance(pending, Reservation):
                state = state.with_claim(pending.send)
            else:
                state = withhold(state, pending.path)
        spent = {day: memory.spending_of(day) for day in days}
        return StoredState(state, memory.versions[shopper], position, spent, folded)

    async def read(self, shopper: ShopperKey, budget_days: Sequence[BudgetDay] = ()) -> StoredState:
        self._check_trusted()
        return self._read(shopper, self._memory.position or 0, budget_days)

    async def read_many(
        self, shoppers: Sequence[ShopperKey], budget_days: Sequence[BudgetDay] = ()
    ) -> list[StoredState]:
        return [await self.read(shopper, budget_days) for shopper in shoppers]

    async def reserve_many(self, reservations: Sequence[Reservation]) -> list[ReserveResult]:
        self._check_trusted()
        results: list[ReserveResult] = []
        refused = set[ShopperKey]()
        for reservation in reservations:
            is_refused = reservation.shopper in refused
            results.append(StateChanged() if is_refused else self._reserve(reservation))
            if not isinstance(results[-1], Reserved):
                refused.add(reservation.shopper)
        return results

    def _reserve(self, reservation: Reservation) -> ReserveResult:
        memory, send = self._memory, reservation.send
        if reservation.catalogue < memory.catalogue:
            return NoLongerAllowed()
        if reservation.version != memory.versions[reservation.shopper]:
            return StateChanged()
        days = [_day(send), *((channel, _day(send)[1]) for channel in reservation.former_channels)]
        cost, spent = millionths(send.cost), sum(memory.spending_of(day) for day in days)
        if cost and reservation.budget is not None and spent + cost > reservation.budget:
            return NoLongerAllowed()
        memory.add(reservation)
        return Reserved()

    async def release(self, reservations: Iterable[Reservation]) -> None:
        for reservation in reservations:
            self._memory.drop(reservation.shopper, reservation.attempt)

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        self._check_trusted()
        for withdrawal in withdrawals:
            self._memory.add(withdrawal)

    async def retract(self, withdrawals: Iterable[Withdrawal]) -> None:
        for withdrawal in withdrawals:
            self._memory.drop(withdrawal.shopper, withdrawal.attempt)

    async def position(self) -> int:
        return self._memory.position or 0

    async def read_folded_at(self, position: int, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        return await self.read_folded(shoppers)

    async def read_folded(self, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        self._check_fold()
        return {shopper: self._memory.states.get(shopper, NEW_SHOPPER) for shopper in shoppers}

    def _check_fold(self) -> None:
        if self._memory.fold_version not in (None, self._fold_version):
            raise StateUnavailable("another version of the fold makes the states")

    async def apply(self, update: StateUpdate) -> bool:
        memory = self._memory
        self._check_fold()
        if update.before != (memory.position or 0):
            return False
        if memory.position is None:
            memory.fold_version = self._fold_version
        memory.position, memory.mark = update.after, update.mark or None
        memory.catalogue = update.catalogue or memory.catalogue
        memory.spent.update(update.spent)
        memory.uses.update(update.uses)
        for shopper, change in update.shoppers.items():
            for pending in memory.of(shopper):
                if _is_settled(pending, change):
                    memory.drop(shopper, pending.attempt)
            if change.state is not None:
                memory.versions[shopper] += 1
                memory.states[shopper] = change.state
            if memory.states.get(shopper) == NEW_SHOPPER:
                del memory.states[shopper]
        return True

    async def stored_fold_version(self) -> int | None:
        return self._memory.fold_version

    async def shoppers(self) -> AsyncIterator[ShopperKey]:
        for shopper in {*self._memory.states, *(key for key, _ in self._memory.pending)}:
            yield shopper

    async def uses(self) -> dict[Use, int]:
        return {use: count for use, count in self._memory.uses.items() if count}

    async def spending(self) -> dict[BudgetDay, int]:
        return {day: cost for day, cost in self._memory.spent.items() if cost}

    async def prepare(self) -> None:
        return

    async def is_current(self, incarnation: int) -> bool:
        return (self._memory.incarnation, self._memory.fold_version) == (incarnation, self._fold_version)

    async def trust(self, incarnation: int) -> None:
        self.incarnation = incarnation

    def distrust(self) -> None:
        self.incarnation = None

    async def contained_log(self) -> ContainedLog:
        return ContainedLog(self._memory.position or 0, self._memory.mark, self._memory.beginning)

    async def stored_incarnation(self) -> int | None:
        return self._memory.incarnation

    async def begin(self, seen: int | None, *, anew: bool = False) -> str | None:
        memory = self._memory
        is_other_fold = memory.fold_version != self._fold_version
        if not anew and memory.begun is not None and not is_other_fold:
            return memory.begun
        if not anew and memory.incarnation != seen:
            return None
        if anew or memory.position is None or is_other_fold:
            # The stores that share the memory keep their reference.
            memory.__init__(position=0, fold_version=self._fold_version)  # type: ignore[misc]
        for shopper, attempt in list(memory.pending):
            memory.drop(shopper, attempt)
        memory.incarnation, memory.begun = None, str(ULID())
        return memory.begun

    async def complete(self, begun: str, incarnation: int) -> bool:
        if self._memory.begun != begun:
            return False
        self._memory.begun, self._memory.beginning, self._memory.incarnation = None, begun, incarnation
        await self.trust(incarnation)
        return True

    async def drop_pending(self, older_than_s: int) -> None:
        for (shopper, attempt), (_, made_at) in list(self._memory.pending.items()):
            if made_at <= time.time() - older_than_s:
                self._memory.drop(shopper, attempt)

    async def drop_budget_days(self, before: int) -> None:
        for counts in (self._memory.spent, self._memory.uses):
            for name in [name for name in counts if 0 <= name[1] < before]:
                del counts[name]

    async def close(self) -> None:
        return
