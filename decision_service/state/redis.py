"""The shoppers' states in Redis: one hash per shopper, one round trip to read, scripts to change.

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
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import msgspec
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
    NoLongerAllowed,
    Pending,
    PendingReservation,
    Reservation,
    Reserved,
    StateChanged,
    StateUnavailable,
    StateUpdate,
    StoredState,
    UnreadableState,
    Withdrawal,
)
from decision_service.state.coalescer import Coalescer
from decision_service.state.redis_faults import EMPTIED, REPLICA, describe_fault
from decision_service.state.shopper_keys import ShopperKey
from policies.catalogue.rulebook import millionths
from policies.rules.budget import NOTHING_SPENT, BudgetDay, Spent, utc_day
from policies.rules.uses import Use
from policies.shopper.fold import FOLD_VERSION, version_for
from policies.shopper.preferences import withhold
from policies.shopper.state import HORIZON_S, Send, ShopperState

_RESERVED, _WITHDRAWN = "p:", "w:"
_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(ShopperState).decode
_decode_send = msgspec.msgpack.Decoder(Send).decode

_TIMEOUT_S = 2.0
_TRIAL_MS = 1_000

Hash = Mapping[bytes, bytes]
_Read = tuple[ShopperKey, tuple[BudgetDay, ...]]


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
        self._incarnation: int | None = None
        self._run_id: str | None = None
        self._reads: Coalescer[_Read, StoredState] = Coalescer(self._read_many)
        self._reserves: Coalescer[Reservation, Reserved | StateChanged | NoLongerAllowed] = Coalescer(
            self._reserve_many
        )

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
        return await self._reads((shopper, tuple(budget_days)))

    async def _read_many(self, reads: Sequence[_Read]) -> Sequence[StoredState]:
        incarnation = self._require_trust()
        days = list(dict.fromkeys(day for _, budget_days in reads for day in budget_days))
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=False)
            # The position first: states that are read a moment later contain at least the rows up to there.
            pipeline.hmget(self._meta, ["incarnation", "position"])
            if days:
                pipeline.hmget(self._spent, [_day_name(day) for day in days])
            for shopper, _ in reads:
                pipeline.hgetall(self._key(shopper))
            (stored_incarnation, position), *answers = await pipeline.execute()
        if stored_incarnation is None or int(stored_incarnation) != incarnation:
            self.distrust()
            raise StateUnavailable(EMPTIED)
        spent = {day: int(value or 0) for day, value in zip(days, answers[0], strict=True)} if days else {}
        hashes = answers[bool(days) :]
        return [_stored_state(fields, int(position or 0), spent) for fields in hashes]

    async def reserve(self, reservation: Reservation) -> Reserved | StateChanged | NoLongerAllowed:
        return await self._reserves(reservation)

    async def _reserve_many(
        self, reservations: Sequence[Reservation]
    ) -> Sequence[Reserved | StateChanged | NoLongerAllowed]:
        incarnation = self._require_trust()
        calls = [self._reserve_call(incarnation, reservation) for reservation in reservations]
        return [_reserve_result(answer) for answer in await self._call(scripts.RESERVE, calls)]

    def _reserve_call(self, incarnation: int, reservation: Reservation) -> tuple[list[str], list[Any]]:
        send, field = reservation.send, _RESERVED + reservation.attempt
        keys = [self._meta, self._key(reservation.shopper), self._pending, self._spent, self._pending_costs]
        return keys, [
            incarnation,
            reservation.version,
            field,
            _encode_state(send),
            _pending_name(reservation.shopper, field),
            reservation.catalogue,
            _day_name((send.channel, utc_day(send.send_at))),
            millionths(send.cost),
            "" if reservation.budget is None else reservation.budget,
            *(_day_name((channel, utc_day(send.send_at))) for channel in reservation.former_channels),
        ]

    async def release(self, reservation: Reservation) -> None:
        await self._drop([(reservation.shopper, _RESERVED + reservation.attempt)])

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        incarnation = self._require_trust()
        await self._call(scripts.WITHDRAW, [self._withdraw_call(incarnation, withdrawal) for withdrawal in withdrawals])

    def _withdraw_call(self, incarnation: int, withdrawal: Withdrawal) -> tuple[list[str], list[Any]]:
        field = _field(withdrawal)
        keys = [self._meta, self._key(withdrawal.shopper), self._pending]
        return keys, [incarnation, field, withdrawal.path, _pending_name(withdrawal.shopper, field)]

    async def retract(self, withdrawals: Iterable[Withdrawal]) -> None:
        await self._drop([(withdrawal.shopper, _field(withdrawal)) for withdrawal in withdrawals])

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
        return {key: _folded_state(key, fields) for key, fields in zip(keys, hashes, strict=True)}

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
            *(part for day, cost in update.spent.items() for part in (_day_name(day), cost)),
            len(update.uses),
            *(part for use, count in update.uses.items() for part in (_day_name(use), count)),
        ]
        for shopper, change in update.shoppers.items():
            state = b"" if change.state is None else _encode_state(change.state)
            arguments += [state, shopper, len(change.settled), *map(_field, change.settled)]
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
        return {_day_of(name): int(count) for name, count in counts.items() if int(count)}

    async def spending(self) -> dict[BudgetDay, int]:
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=True)
            pipeline.hgetall(self._spent)
            pipeline.hgetall(self._pending_costs)
            spent, pending_costs = await pipeline.execute()
        days = Counter({_day_of(name): int(cost) for name, cost in spent.items()})
        for entry in pending_costs.values():
            cost, _, name = entry.partition(b" ")
            days[_day_of(name)] -= int(cost)
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
        await self._drop([_split_pending_name(name) for name in names])

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
                [field, _pending_name(shopper, field)],
            )
            for shopper, field in pending
        ]
        await self._call(scripts.DROP, calls)

    async def _call(self, script: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Call a script several times in one round trip, each time with its keys and arguments."""
        if not calls:
            return []
        with self._away_on_error():
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


def _field(pending: Pending) -> str:
    """Return the field of a shopper's hash that holds a pending fact."""
    return (_RESERVED if isinstance(pending, PendingReservation) else _WITHDRAWN) + pending.attempt


def _pending_name(shopper: ShopperKey, field: str) -> str:
    return f"{shopper} {field}"  # shoppers' keys have no spaces


def _split_pending_name(name: bytes) -> tuple[ShopperKey, str]:
    shopper, _, field = name.decode().partition(" ")
    return ShopperKey(shopper), field


def _day_name(day: BudgetDay) -> str:
    return f"{day[0]} {day[1]}"


def _day_of(name: bytes) -> BudgetDay:
    channel, _, day = name.decode().rpartition(" ")
    return channel, int(day)


def _reserve_result(answer: Any) -> Reserved | StateChanged | NoLongerAllowed:
    if isinstance(answer, list):
        return StateChanged(_stored_state(dict(zip(answer[::2], answer[1::2], strict=True))))
    return Reserved() if answer == 1 else NoLongerAllowed()


def _state(fields: Hash) -> ShopperState:
    blob = fields.get(b"b")
    try:
        return ShopperState() if blob is None else _decode_state(blob)
    except msgspec.DecodeError as error:
        raise UnreadableState(str(error)) from error


def _pending_fields(fields: Hash) -> Iterator[tuple[str, bytes]]:
    return ((name.decode(), value) for name, value in fields.items() if name[1:2] == b":")


def _stored_state(fields: Hash, position: int = 0, spent: Spent = NOTHING_SPENT) -> StoredState:
    state = folded = _state(fields)
    for field, value in _pending_fields(fields):
        if field.startswith(_RESERVED):
            state = state.with_claim(_decode_send(value))
        else:
            state = withhold(state, value.decode())
    return StoredState(state, int(fields.get(b"v", 0)), position, spent, folded)


def _folded_state(shopper: ShopperKey, fields: Hash) -> FoldedState:
    return FoldedState(
        _state(fields), tuple(_pending_fact(shopper, field, value) for field, value in _pending_fields(fields))
    )


def _pending_fact(shopper: ShopperKey, field: str, value: bytes) -> Pending:
    attempt = field[len(_RESERVED) :]
    if field.startswith(_RESERVED):
        # Not from the send: one that another version wrote, or that is damaged, is settled like any other.
        return PendingReservation(attempt, attempt.rpartition("/")[0])
    return Withdrawal(shopper, value.decode(), attempt)
