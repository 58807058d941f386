"""The shoppers' states in Redis: one hash per shopper, a script for each change, one round trip for many.

Keys, all with the log's prefix:

==============  =======  ==========================================================================================
``s:<key>``     hash     of a shopper: ``b`` the folded state (msgpack), ``v`` the version, which every change
                         increments; pending facts: ``p:<attempt>`` reservations, ``w:<attempt>`` withdrawals
``meta``        hash     the incarnation, the server that has it and the beginning that it came from; the log position
                         that is contained and the mark of the row there; the version of the fold that made the
                         states, the catalogue in force, the beginning that is under way
``claims``      zset     the pending facts (``<shopper key> <field>``) by the time at which they were made
``spent``       hash     the cost of all sends by channel and UTC day (``<channel> <day>``), reservations included
``claimed``     hash     the part of it that is reserved, by pending fact
``uses``        hash     how often preferences and sends use a name of the catalogue (``<path> <day>``)
==============  =======  ==========================================================================================

A reservation succeeds only if ``v`` is still the version that the decision was made on, so the rules live in one
place, in Python: whatever a verdict rests on, its change increments ``v``. See the decision record on reservations by
version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence

from ulid import ULID

from decision_service.state import scripts
from decision_service.state.base import StateUnavailable
from decision_service.state.contents import ContainedLog, StoredState
from decision_service.state.pending import Reservation, ReserveResult, Withdrawal
from decision_service.state.recent_states import RecentStates
from decision_service.state.redis_faults import EMPTIED, REPLICA
from decision_service.state.redis_hashes import RESERVED, WITHDRAWN, day_of, pending_name, split_pending_name
from decision_service.state.redis_server import RedisServer, ScriptCall
from decision_service.state.redis_trips import ReadAnswer, ScriptCalls, reserve_results
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import StateUpdate
from policies.rules.budget import BudgetDay
from policies.rules.uses import Use
from policies.shopper.fold import FOLD_VERSION, version_for
from policies.shopper.state import HORIZON_S, ShopperState

_TIMEOUT_S = 2.0
_TRIAL_MS = 1_000
_OTHER_FOLD = "another version of the fold makes the states"


class RedisStateStore:
    """The shoppers' states of one log in one Redis.

    Parameters
    ----------
    url
        Where the Redis is; no command is sent yet.
    namespace
        The identity of the log: states of other logs in the same Redis are never touched.
    timeout_s
        How long an answer may take.
    fold_version
        The version of the fold that makes the states, while they keep sends for no longer than most catalogues need.
    """

    def __init__(
        self, url: str, namespace: str, timeout_s: float = _TIMEOUT_S, fold_version: int = FOLD_VERSION
    ) -> None:
        self._server = RedisServer(url, timeout_s, self.distrust)
        self._fold_version = fold_version
        self._horizon_s = HORIZON_S
        self._prefix = f"ds:{namespace}:"
        self._meta = f"{self._prefix}meta"
        self._pending = f"{self._prefix}claims"
        self._spent = f"{self._prefix}spent"
        self._pending_costs = f"{self._prefix}claimed"
        self._uses = f"{self._prefix}uses"
        self._calls = ScriptCalls(
            self._meta, self._pending, self._spent, self._pending_costs, self._uses, self._key(ShopperKey(""))
        )
        self._recent = RecentStates()
        self._incarnation: int | None = None

    @property
    def incarnation(self) -> int | None:
        return self._incarnation

    @property
    def horizon_s(self) -> float:
        return self._horizon_s

    def keep_sends_for(self, horizon_s: float) -> None:
        if horizon_s != self._horizon_s:
            self._recent.forget()
        self._horizon_s, self._fold_version = horizon_s, version_for(horizon_s)

    async def close(self) -> None:
        await self._server.close()

    # -- deciding ---------------------------------------------------------------------------------

    async def read(self, shopper: ShopperKey, budget_days: Sequence[BudgetDay] = ()) -> StoredState:
        (stored,) = await self.read_many([shopper], budget_days)
        return stored

    async def read_many(
        self, shoppers: Sequence[ShopperKey], budget_days: Sequence[BudgetDay] = ()
    ) -> list[StoredState]:
        incarnation = self._require_trust()
        answer = await self._read(shoppers, budget_days)
        if answer.incarnation != incarnation:
            self.distrust()
            raise StateUnavailable(EMPTIED)
        states = answer.stored_states(budget_days)
        folded = {shopper: stored.folded for shopper, stored in zip(shoppers, states, strict=True)}
        self._recent.remember(answer.position, folded)
        return states

    async def reserve_many(self, reservations: Sequence[Reservation]) -> list[ReserveResult]:
        incarnation = self._require_trust()
        if not reservations:
            return []
        call = self._calls.reserve_call(incarnation, reservations)
        return reserve_results(await self._server.call(scripts.RESERVE, call))

    async def release(self, reservations: Iterable[Reservation]) -> None:
        await self._drop([(reservation.shopper, RESERVED + reservation.attempt) for reservation in reservations])

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        incarnation = self._require_trust()
        calls = [self._withdraw_call(incarnation, withdrawal) for withdrawal in withdrawals]
        await self._server.call_each(scripts.WITHDRAW, calls)

    def _withdraw_call(self, incarnation: int, withdrawal: Withdrawal) -> ScriptCall:
        field = WITHDRAWN + withdrawal.attempt
        keys = [self._meta, self._key(withdrawal.shopper), self._pending]
        return keys, [incarnation, field, withdrawal.path, pending_name(withdrawal.shopper, field)]

    async def retract(self, withdrawals: Iterable[Withdrawal]) -> None:
        await self._drop([(withdrawal.shopper, WITHDRAWN + withdrawal.attempt) for withdrawal in withdrawals])

    # -- following the log ------------------------------------------------------------------------

    async def position(self) -> int:
        return int(await self._server.ask("HGET", self._meta, "position") or 0)

    async def read_folded_at(self, position: int, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        known = self._recent.find(position, shoppers)
        others = [shopper for shopper in shoppers if shopper not in known]
        return known | await self.read_folded(others) if others else known

    async def apply(self, update: StateUpdate) -> bool:
        call = self._calls.apply_call(update, self._fold_version)
        answer = await self._server.call(scripts.APPLY, call)
        if answer != 1:
            self._recent.forget()
        if answer == -1:
            raise StateUnavailable(_OTHER_FOLD)
        if answer == 1:
            changed = {key: change.state for key, change in update.shoppers.items() if change.state is not None}
            self._recent.advance(update.before, update.after, changed)
        return bool(answer)

    # -- verification -----------------------------------------------------------------------------

    async def read_folded(self, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        answer = await self._read(shoppers)
        if answer.fold_version not in (None, self._fold_version):
            raise StateUnavailable(_OTHER_FOLD)
        return answer.folded_states(shoppers)

    async def stored_fold_version(self) -> int | None:
        version = await self._server.ask("HGET", self._meta, "fold")
        return None if version is None else int(version)

    async def shoppers(self) -> AsyncIterator[ShopperKey]:
        prefix, cursor = self._key(ShopperKey("")), None
        while cursor != 0:
            cursor, keys = await self._server.ask("SCAN", cursor or 0, "MATCH", f"{prefix}*", "COUNT", 1_000)
            for key in keys:
                yield ShopperKey(key.decode().removeprefix(prefix))

    async def uses(self) -> dict[Use, int]:
        counts = await self._server.ask("HGETALL", self._uses)
        return {day_of(name): int(count) for name, count in counts.items() if int(count)}

    async def spending(self) -> dict[BudgetDay, int]:
        spent, pending_costs = await self._server.ask_at_once(
            ("HGETALL", self._spent), ("HGETALL", self._pending_costs)
        )
        days = Counter({day_of(name): int(cost) for name, cost in spent.items()})
        for entry in pending_costs.values():
            cost, _, name = entry.partition(b" ")
            days[day_of(name)] -= int(cost)
        return {day: cost for day, cost in days.items() if cost}

    # -- recovery ---------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Load the scripts, and refuse a Redis that cannot be written or may drop states by itself.

        Raises
        ------
        StateUnavailable
            When it cannot be reached or written, is a replica, or when its ``maxmemory-policy`` evicts keys.
        """
        for script in scripts.SCRIPTS:
            await self._server.ask("SCRIPT LOAD", script)
        policy = (await self._server.ask("INFO", "memory")).get("maxmemory_policy", "noeviction")
        role = (await self._server.ask("INFO", "replication")).get("role")
        await self._server.ask("SET", f"{self._prefix}trial", "", "PX", _TRIAL_MS)
        if policy != "noeviction":
            raise StateUnavailable(f"it may evict states: set its maxmemory-policy to noeviction, not {policy}")
        if role == "slave":  # one that is writable loses what is written as soon as it follows its primary
            raise StateUnavailable(REPLICA)

    async def is_current(self, incarnation: int) -> bool:
        stored = await self._server.ask("HMGET", self._meta, "incarnation", "run_id", "fold")
        current = (str(incarnation), await self._server.id(), str(self._fold_version))
        return bool(stored == [value.encode() for value in current])

    async def trust(self, incarnation: int) -> None:
        await self._server.trust()
        self._incarnation = incarnation

    def distrust(self) -> None:
        self._incarnation = None
        self._server.distrust()
        self._recent.forget()

    async def contained_log(self) -> ContainedLog:
        answers = await self._server.ask("HMGET", self._meta, "position", "mark", "beginning")
        position, mark, beginning = (None if value is None else value.decode() for value in answers)
        return ContainedLog(int(position or 0), mark or None, beginning)

    async def stored_incarnation(self) -> int | None:
        incarnation = await self._server.ask("HGET", self._meta, "incarnation")
        return None if incarnation is None else int(incarnation)

    async def begin(self, seen: int | None, *, anew: bool = False) -> str | None:
        """Begin a new incarnation.

        Redis answers nobody while it forgets states: about a second for a million keys, the keys of others included.
        """
        token = f"{await self._server.id()} {ULID()}"
        keys = [self._meta, self._pending, self._spent, self._pending_costs]
        arguments = [self._prefix, "anew" if anew else "", "" if seen is None else seen, token, self._fold_version]
        begun = await self._server.call(scripts.BEGIN, (keys, arguments))
        return bytes(begun).decode() or None

    async def complete(self, begun: str, incarnation: int) -> bool:
        server, _, _ = begun.partition(" ")
        answer = await self._server.call(scripts.COMPLETE, ([self._meta], [begun, incarnation, server]))
        if answer == 1:
            await self.trust(incarnation)
        return bool(answer)

    async def drop_pending(self, older_than_s: int) -> None:
        seconds, _ = await self._server.ask("TIME")
        names = await self._server.ask("ZRANGEBYSCORE", self._pending, 0, seconds - older_than_s)
        await self._drop([split_pending_name(name) for name in names])

    async def drop_budget_days(self, before: int) -> None:
        for hash_name in (self._spent, self._uses):
            names = await self._server.ask("HKEYS", hash_name)
            old = [name for name in names if 0 <= int(name.rpartition(b" ")[2]) < before]
            if old:
                await self._server.ask("HDEL", hash_name, *old)

    # -- plumbing ---------------------------------------------------------------------------------

    def _key(self, shopper: ShopperKey) -> str:
        return f"{self._prefix}s:{shopper}"

    def _require_trust(self) -> int:
        if self._incarnation is None:
            raise StateUnavailable("the state store has not caught up with the log")
        return self._incarnation

    async def _read(self, shoppers: Collection[ShopperKey], budget_days: Sequence[BudgetDay] = ()) -> ReadAnswer:
        return ReadAnswer.of(await self._server.call(scripts.READ, self._calls.read_call(shoppers, budget_days)))

    async def _drop(self, pending: Sequence[tuple[ShopperKey, str]]) -> None:
        """Drop pending facts, each given by its shopper and field."""
        calls = [
            (
                [self._key(shopper), self._pending, self._spent, self._pending_costs],
                [field, pending_name(shopper, field)],
            )
            for shopper, field in pending
        ]
        await self._server.call_each(scripts.DROP, calls)
