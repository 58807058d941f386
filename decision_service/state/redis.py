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

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import redis.asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from ulid import ULID

from decision_service.state import scripts
from decision_service.state.base import (
    ContainedLog,
    FoldedState,
    Reservation,
    ReserveResult,
    StateUnavailable,
    StateUpdate,
    StoredState,
    Withdrawal,
)
from decision_service.state.redis_faults import EMPTIED, REPLICA, describe_fault
from decision_service.state.redis_hashes import (
    RESERVED,
    day_name,
    day_of,
    encode_state,
    field_of,
    folded_state,
    pending_name,
    split_pending_name,
)
from decision_service.state.redis_trips import (
    ScriptCall,
    ScriptCalls,
    read_incarnation,
    read_states,
    reserve_results,
)
from decision_service.state.shopper_keys import ShopperKey
from policies.rules.budget import BudgetDay
from policies.rules.uses import Use
from policies.shopper.fold import FOLD_VERSION, version_for
from policies.shopper.state import HORIZON_S

_TIMEOUT_S = 2.0
_TRIAL_MS = 1_000


@cache
def _sha(script: str) -> str:
    """Return the name under which Redis calls a script."""
    return hashlib.sha1(script.encode()).hexdigest()


class RedisStateStore:
    """The shoppers' states of one log in one Redis.

    Parameters
    ----------
    client
        A client of ``redis.asyncio`` that does not decode answers.
    namespace
        The identity of the log: states of other logs in the same Redis are never touched.
    fold_version
        The version of the fold that makes the states, while they keep sends for no longer than most catalogues need.
    """

    def __init__(self, client: redis_asyncio.Redis, namespace: str, fold_version: int = FOLD_VERSION) -> None:
        self._client = client
        self._fold_version = fold_version
        self._horizon_s = HORIZON_S
        client.connection_pool.connection_kwargs["redis_connect_func"] = self._greet
        self._prefix = f"ds:{namespace}:"
        self._meta = f"{self._prefix}meta"
        self._pending = f"{self._prefix}claims"
        self._spent = f"{self._prefix}spent"
        self._pending_costs = f"{self._prefix}claimed"
        self._uses = f"{self._prefix}uses"
        self._calls = ScriptCalls(self._meta, self._pending, self._spent, self._pending_costs, f"{self._prefix}s:")
        self._incarnation: int | None = None
        self._run_id: str | None = None

    @classmethod
    def connect(
        cls, url: str, namespace: str, timeout_s: float = _TIMEOUT_S, fold_version: int = FOLD_VERSION
    ) -> RedisStateStore:
        """Return a store for a Redis URL; no command is sent yet."""
        client = redis_asyncio.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),  # the caller holds instead of repeating a trip
        )
        return cls(client, namespace, fold_version)

    @property
    def incarnation(self) -> int | None:
        return self._incarnation

    @property
    def horizon_s(self) -> float:
        return self._horizon_s

    def keep_sends_for(self, horizon_s: float) -> None:
        self._horizon_s, self._fold_version = horizon_s, version_for(horizon_s)

    async def close(self) -> None:
        await self._client.aclose()

    # -- deciding ---------------------------------------------------------------------------------

    async def read(self, shopper: ShopperKey, budget_days: Sequence[BudgetDay] = ()) -> StoredState:
        (stored,) = await self.read_many([shopper], budget_days)
        return stored

    async def read_many(
        self, shoppers: Sequence[ShopperKey], budget_days: Sequence[BudgetDay] = ()
    ) -> list[StoredState]:
        incarnation = self._require_trust()
        (answer,) = await self._call(scripts.READ, [self._calls.read_call(shoppers, budget_days)])
        if read_incarnation(answer) != incarnation:
            self.distrust()
            raise StateUnavailable(EMPTIED)
        return read_states(answer, budget_days)

    async def reserve_many(self, reservations: Sequence[Reservation]) -> list[ReserveResult]:
        incarnation = self._require_trust()
        if not reservations:
            return []
        (answer,) = await self._call(scripts.RESERVE, [self._calls.reserve_call(incarnation, reservations)])
        return reserve_results(answer)

    async def release(self, reservations: Iterable[Reservation]) -> None:
        await self._drop([(reservation.shopper, RESERVED + reservation.attempt) for reservation in reservations])

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        incarnation = self._require_trust()
        await self._call(scripts.WITHDRAW, [self._withdraw_call(incarnation, withdrawal) for withdrawal in withdrawals])

    def _withdraw_call(self, incarnation: int, withdrawal: Withdrawal) -> ScriptCall:
        field = field_of(withdrawal)
        keys = [self._meta, self._key(withdrawal.shopper), self._pending]
        return keys, [incarnation, field, withdrawal.path, pending_name(withdrawal.shopper, field)]

    async def retract(self, withdrawals: Iterable[Withdrawal]) -> None:
        await self._drop([(withdrawal.shopper, field_of(withdrawal)) for withdrawal in withdrawals])

    # -- following the log ------------------------------------------------------------------------

    async def position(self) -> int:
        with self._away_on_error():
            return int(await cast(Awaitable[bytes | None], self._client.hget(self._meta, "position")) or 0)

    async def read_folded(self, shoppers: Iterable[ShopperKey]) -> dict[ShopperKey, FoldedState]:
        keys = list(shoppers)
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hget(self._meta, "fold")
            for shopper in keys:
                pipeline.hgetall(self._key(shopper))
            version, *hashes = await pipeline.execute()
        if version is not None and int(version) != self._fold_version:
            raise StateUnavailable("another version of the fold makes the states")
        return {key: folded_state(key, fields) for key, fields in zip(keys, hashes, strict=True)}

    async def apply(self, update: StateUpdate) -> bool:
        stores = [self._meta, self._pending, self._spent, self._pending_costs, self._uses]
        keys = [*stores, *map(self._key, update.shoppers)]
        arguments: list[Any] = [
            update.before,
            update.after,
            "" if update.catalogue is None else update.catalogue,
            self._fold_version,
            update.mark,
            len(update.spent),
            *(part for day, cost in update.spent.items() for part in (day_name(day), cost)),
            len(update.uses),
            *(part for use, count in update.uses.items() for part in (day_name(use), count)),
        ]
        for shopper, change in update.shoppers.items():
            state = b"" if change.state is None else encode_state(change.state)
            arguments += [state, shopper, len(change.settled), *map(field_of, change.settled)]
        (answer,) = await self._call(scripts.APPLY, [(keys, arguments)])
        return bool(answer)

    # -- verification -----------------------------------------------------------------------------

    async def stored_fold_version(self) -> int | None:
        with self._away_on_error():
            version = await self._command(self._client.hget(self._meta, "fold"))
        return None if version is None else int(version)

    async def shoppers(self) -> AsyncIterator[ShopperKey]:
        prefix = self._key(ShopperKey(""))
        with self._away_on_error():
            async for key in self._client.scan_iter(match=f"{prefix}*", count=1_000):
                yield ShopperKey(key.decode().removeprefix(prefix))

    async def uses(self) -> dict[Use, int]:
        with self._away_on_error():
            counts = await self._command(self._client.hgetall(self._uses))
        return {day_of(name): int(count) for name, count in counts.items() if int(count)}

    async def spending(self) -> dict[BudgetDay, int]:
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=True)
            pipeline.hgetall(self._spent)
            pipeline.hgetall(self._pending_costs)
            spent, pending_costs = await pipeline.execute()
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
        with self._away_on_error():
            for script in scripts.SCRIPTS:
                await self._command(self._client.script_load(script))
            policy = (await self._command(self._client.info("memory"))).get("maxmemory_policy", "noeviction")
            role = (await self._command(self._client.info("replication"))).get("role")
            await self._command(self._client.set(f"{self._prefix}trial", "", px=_TRIAL_MS))
        if policy != "noeviction":
            raise StateUnavailable(f"it may evict states: set its maxmemory-policy to noeviction, not {policy}")
        if role == "slave":  # one that is writable loses what is written as soon as it follows its primary
            raise StateUnavailable(REPLICA)

    async def is_current(self, incarnation: int) -> bool:
        with self._away_on_error():
            stored = await self._command(self._client.hmget(self._meta, ["incarnation", "run_id", "fold"]))
            current = (str(incarnation), await self._server_id(), str(self._fold_version))
            return bool(stored == [value.encode() for value in current])

    async def trust(self, incarnation: int) -> None:
        with self._away_on_error():
            self._run_id = await self._server_id()
        self._incarnation = incarnation

    def distrust(self) -> None:
        self._incarnation = self._run_id = None

    async def contained_log(self) -> ContainedLog:
        with self._away_on_error():
            answers = await self._command(self._client.hmget(self._meta, ["position", "mark", "beginning"]))
        position, mark, beginning = (None if value is None else value.decode() for value in answers)
        return ContainedLog(int(position or 0), mark or None, beginning)

    async def stored_incarnation(self) -> int | None:
        with self._away_on_error():
            incarnation = await self._command(self._client.hget(self._meta, "incarnation"))
        return None if incarnation is None else int(incarnation)

    async def begin(self, seen: int | None, *, anew: bool = False) -> str | None:
        """Begin a new incarnation.

        Redis answers nobody while it forgets states: about a second for a million keys, the keys of others included.
        """
        with self._away_on_error():
            token = f"{await self._server_id()} {ULID()}"
        keys = [self._meta, self._pending, self._spent, self._pending_costs]
        arguments = [self._prefix, "anew" if anew else "", "" if seen is None else seen, token, self._fold_version]
        (begun,) = await self._call(scripts.BEGIN, [(keys, arguments)])
        return bytes(begun).decode() or None

    async def complete(self, begun: str, incarnation: int) -> bool:
        server, _, _ = begun.partition(" ")
        (answer,) = await self._call(scripts.COMPLETE, [([self._meta], [begun, incarnation, server])])
        if answer == 1:
            await self.trust(incarnation)
        return bool(answer)

    async def drop_pending(self, older_than_s: int) -> None:
        with self._away_on_error():
            seconds, _ = await self._command(self._client.time())
            names = await self._command(self._client.zrangebyscore(self._pending, 0, seconds - older_than_s))
        await self._drop([split_pending_name(name) for name in names])

    async def drop_budget_days(self, before: int) -> None:
        with self._away_on_error():
            for hash_name in (self._spent, self._uses):
                names = await self._command(self._client.hkeys(hash_name))
                old = [name for name in names if 0 <= int(name.rpartition(b" ")[2]) < before]
                if old:
                    await self._command(self._client.hdel(hash_name, *old))

    async def _server_id(self) -> str:
        return cast(str, (await self._command(self._client.info("server")))["run_id"])

    async def _greet(self, connection: Any) -> None:
        """Check on every new connection that the server is still the one that was brought up to the log.

        A restarted server may come back with an old snapshot under the same incarnation. Its ``run_id`` shows that,
        and every client has to connect anew after a restart.
        """
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        lines = bytes(await connection.read_response()).decode().splitlines()
        run_id = next(line.partition(":")[2] for line in lines if line.startswith("run_id:"))
        if self._run_id is not None and run_id != self._run_id:
            self.distrust()
            raise RedisConnectionError("another server answers")

    # -- plumbing ---------------------------------------------------------------------------------

    def _key(self, shopper: ShopperKey) -> str:
        return f"{self._prefix}s:{shopper}"

    def _require_trust(self) -> int:
        if self._incarnation is None:
            raise StateUnavailable("the state store has not caught up with the log")
        return self._incarnation

    async def _drop(self, pending: Sequence[tuple[ShopperKey, str]]) -> None:
        """Drop pending facts, each given by its shopper and field."""
        calls = [
            (
                [self._key(shopper), self._pending, self._spent, self._pending_costs],
                [field, pending_name(shopper, field)],
            )
            for shopper, field in pending
        ]
        await self._call(scripts.DROP, calls)

    async def _call(self, script: str, calls: Sequence[ScriptCall]) -> list[Any]:
        """Call a script several times in one round trip, each time with its keys and arguments."""
        if not calls:
            return []
        with self._away_on_error():
            if len(calls) == 1:  # a pipeline of one costs half as much again
                ((keys, arguments),) = calls
                return [await self._command(self._client.evalsha(_sha(script), len(keys), *keys, *arguments))]
            pipeline = self._client.pipeline(transaction=False)
            for keys, arguments in calls:
                pipeline.evalsha(_sha(script), len(keys), *keys, *arguments)
            return list(await pipeline.execute())

    @staticmethod
    async def _command(answer: Any) -> Any:
        return await answer

    @contextmanager
    def _away_on_error(self) -> Iterator[None]:
        """Map every driver error to `StateUnavailable`, and trust the store no longer."""
        try:
            yield
        except (TimeoutError, RedisError, OSError) as error:
            self.distrust()
            # The driver's own text appears in the service's log only.
            raise StateUnavailable(describe_fault(error)) from _without_command(error)


def _without_command(error: Exception) -> Exception:
    """Return an error without the command that caused it, whose arguments would stand in a log."""
    _, caused, text = str(error).partition(" of pipeline caused error: ")
    return type(error)(text) if caused else error
