"""The shoppers' states in Redis: one hash per shopper, one round trip to read, scripts to change.

A shopper's hash has the fields ``b`` (the folded state, msgpack), ``v`` (a counter that every change of
the shopper increments) and claims: ``p:<attempt>`` reserved places, ``w:<attempt>`` withdrawn channels.
The ``meta`` hash says which incarnation of which server this is, which log position is contained and which
catalogue is in force; ``spent`` what the sends of each channel and UTC day cost, those of claims included,
which ``claimed`` remembers by claim.

A reservation succeeds only if ``v`` is still what the decision was made on, so the rules live in one
place, in Python: whatever a verdict rested on, its change moves ``v``. See the decision record on
reservations by version.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import msgspec
import redis.asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from ulid import ULID

from decision_service.state import scripts
from decision_service.state.base import (
    FoldedState,
    NoLongerAllowed,
    Reservation,
    Reserved,
    StateChanged,
    StateUnavailable,
    Step,
    StoredState,
    Withdrawal,
)
from decision_service.state.coalescer import Coalescer
from decision_service.state.shopper_keys import ShopperKey
from policies.catalogue.rulebook import millionths
from policies.rules.budget import NOTHING_SPENT, BudgetDay, Spent, utc_day
from policies.shopper.state import Send, ShopperState

_PLACE, _WITHDRAWN = "p:", "w:"
_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(ShopperState).decode
_decode_send = msgspec.msgpack.Decoder(Send).decode

_TIMEOUT_S = 2.0

Hash = Mapping[bytes, bytes]
_Read = tuple[ShopperKey, tuple[BudgetDay, ...]]


def _sha(script: str) -> str:
    return hashlib.sha1(script.encode()).hexdigest()  # how Redis names scripts: nothing secret here


class RedisStateStore:
    """The shoppers' states of one log in one Redis.

    Parameters
    ----------
    client
        A client of ``redis.asyncio`` that does not decode answers.
    namespace
        The identity of the log: another log's states in the same Redis are never touched.
    """

    def __init__(self, client: redis_asyncio.Redis, namespace: str) -> None:
        self._client = client
        client.connection_pool.connection_kwargs["redis_connect_func"] = self._greet
        self._prefix = f"ds:{namespace}:"
        self._meta = f"{self._prefix}meta"
        self._claims = f"{self._prefix}claims"
        self._spent = f"{self._prefix}spent"
        self._claimed = f"{self._prefix}claimed"
        self._incarnation: int | None = None
        self._run_id: str | None = None
        self._reads: Coalescer[_Read, StoredState] = Coalescer(self._read_many)
        self._reserves: Coalescer[Reservation, Reserved | StateChanged | NoLongerAllowed] = Coalescer(
            self._reserve_many
        )

    @classmethod
    def connect(cls, url: str, namespace: str, timeout_s: float = _TIMEOUT_S) -> RedisStateStore:
        """Make a store for a Redis URL; no command is sent yet."""
        client = redis_asyncio.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),  # a trip is never repeated blindly: the caller holds instead
        )
        return cls(client, namespace)

    @property
    def incarnation(self) -> int | None:
        """The incarnation this process trusts, or None while the store is away."""
        return self._incarnation

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # -- deciding ---------------------------------------------------------------------------------

    async def read(self, shopper: ShopperKey, budget_days: Sequence[BudgetDay] = ()) -> StoredState:
        """Give a shopper's state, claims counted."""
        return await self._reads((shopper, tuple(budget_days)))

    async def _read_many(self, reads: Sequence[_Read]) -> Sequence[StoredState]:
        incarnation = self._trusted()
        days = list(dict.fromkeys(day for _, budget_days in reads for day in budget_days))
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=False)
            # First where the store stands: states that are read a moment later contain at least that.
            pipeline.hmget(self._meta, ["incarnation", "position"])
            if days:
                pipeline.hmget(self._spent, [_day_name(day) for day in days])
            for shopper, _ in reads:
                pipeline.hgetall(self._key(shopper))
            (found, position), *answers = await pipeline.execute()
        if found is None or int(found) != incarnation:
            self.distrust()
            raise StateUnavailable("the state store was emptied or restarted")
        spent = {day: int(value or 0) for day, value in zip(days, answers[0], strict=True)} if days else {}
        hashes = answers[bool(days) :]
        return [_stored(each, int(position or 0), spent) for each in hashes]

    async def reserve(self, reservation: Reservation) -> Reserved | StateChanged | NoLongerAllowed:
        """Take a place if the shopper's version is still the one decided on."""
        return await self._reserves(reservation)

    async def _reserve_many(
        self, reservations: Sequence[Reservation]
    ) -> Sequence[Reserved | StateChanged | NoLongerAllowed]:
        incarnation = self._trusted()
        answers = await self._scripts(scripts.RESERVE, [self._reserve_call(incarnation, each) for each in reservations])
        return [_reserved(answer) for answer in answers]

    def _reserve_call(self, incarnation: int, reservation: Reservation) -> tuple[list[str], list[Any]]:
        send, field = reservation.send, _PLACE + reservation.attempt
        keys = [self._meta, self._key(reservation.shopper), self._claims, self._spent, self._claimed]
        return keys, [
            incarnation,
            reservation.version,
            field,
            _encode_state(send),
            _claim_name(reservation.shopper, field),
            reservation.catalogue,
            _day_name((send.channel, utc_day(send.send_at))),
            millionths(send.cost),
            "" if reservation.budget is None else reservation.budget,
        ]

    async def release(self, reservation: Reservation) -> None:
        """Give an unconfirmed place back."""
        await self._drop([(reservation.shopper, _PLACE + reservation.attempt)])

    async def withdraw(self, withdrawals: Iterable[Withdrawal]) -> None:
        """Withdraw consent ahead of the log."""
        incarnation = self._trusted()
        await self._scripts(
            scripts.CLAIM,
            [
                (
                    [self._meta, self._key(each.shopper), self._claims],
                    [
                        incarnation,
                        _WITHDRAWN + each.attempt,
                        each.channel,
                        _claim_name(each.shopper, _WITHDRAWN + each.attempt),
                    ],
                )
                for each in withdrawals
            ],
        )

    async def retract(self, withdrawals: Iterable[Withdrawal]) -> None:
        """Take back withdrawals that the log knew already."""
        await self._drop([(each.shopper, _WITHDRAWN + each.attempt) for each in withdrawals])

    # -- following the log ------------------------------------------------------------------------

    async def position(self) -> int:
        """Give the log position up to which every row is contained."""
        with self._away_on_error():
            return int(await cast(Awaitable[bytes | None], self._client.hget(self._meta, "position")) or 0)

    async def folded(self, shoppers: Iterable[ShopperKey]) -> dict[ShopperKey, FoldedState]:
        """Give the folded states that a batch of rows is to be applied to."""
        names = list(shoppers)
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=False)
            for shopper in names:
                pipeline.hgetall(self._key(shopper))
            hashes = await pipeline.execute()
        return {name: FoldedState(_folded(each), dict(_claims(each))) for name, each in zip(names, hashes, strict=True)}

    async def apply(self, step: Step) -> bool:
        """Write what a batch of rows makes of the store, unless others did already."""
        keys = [self._meta, self._claims, self._spent, self._claimed, *map(self._key, step.shoppers)]
        arguments: list[Any] = [
            step.before,
            step.after,
            "" if step.catalogue is None else step.catalogue,
            len(step.spent),
            *(part for day, cost in step.spent.items() for part in (_day_name(day), cost)),
        ]
        for shopper, projection in step.shoppers.items():
            blob = b"" if projection.state is None else _encode_state(projection.state)
            arguments += [blob, shopper, len(projection.settled), *projection.settled]
        (answer,) = await self._scripts(scripts.APPLY, [(keys, arguments)])
        return bool(answer)

    async def shoppers(self) -> AsyncIterator[ShopperKey]:
        """Give the shoppers of whom something is stored; one may come twice, and one that changes meanwhile not."""
        prefix = self._key(ShopperKey(""))
        with self._away_on_error():
            async for key in self._client.scan_iter(match=f"{prefix}*", count=1_000):
                yield ShopperKey(key.decode().removeprefix(prefix))

    async def spent(self) -> dict[BudgetDay, int]:
        """Give what the log's sends cost by channel and UTC day, in millionths, as far as it is contained."""
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=True)
            pipeline.hgetall(self._spent)
            pipeline.hgetall(self._claimed)
            spent, claimed = await pipeline.execute()
        days = Counter({_day_of(name): int(cost) for name, cost in spent.items()})
        for claim in claimed.values():
            cost, _, name = claim.partition(b" ")
            days[_day_of(name)] -= int(cost)
        return {day: cost for day, cost in days.items() if cost}

    # -- incarnations -----------------------------------------------------------------------------

    async def is_current(self, incarnation: int) -> bool:
        """Tell whether this very server process was brought up to the given incarnation of the log."""
        with self._away_on_error():
            known = await self._command(self._client.hmget(self._meta, ["incarnation", "run_id"]))
            return bool(known == [str(incarnation).encode(), (await self._server_id()).encode()])

    async def prepare(self) -> None:
        """Load the scripts, and refuse a Redis that may drop states by itself.

        Raises
        ------
        StateUnavailable
            When its ``maxmemory-policy`` evicts keys.
        """
        with self._away_on_error():
            for script in scripts.SCRIPTS:
                await self._command(self._client.script_load(script))
            policy = (await self._command(self._client.info("memory"))).get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise StateUnavailable(f"Redis may evict states (maxmemory-policy {policy}); set it to noeviction")

    async def trust(self, incarnation: int) -> None:
        """Answer calls again: the store contains the log as of this incarnation."""
        with self._away_on_error():
            self._run_id = await self._server_id()
        self._incarnation = incarnation

    def distrust(self) -> None:
        """Answer no call until `trust`: rows of the log may be missing here."""
        self._incarnation = self._run_id = None

    async def stored_incarnation(self) -> int | None:
        """Give the incarnation that the store was last brought up to, on whichever server."""
        with self._away_on_error():
            known = await self._command(self._client.hget(self._meta, "incarnation"))
        return None if known is None else int(known)

    async def begin(self, seen: int | None, *, anew: bool = False) -> str | None:
        """Begin a new incarnation: nobody may decide, and the claims of the old one are void.

        Gives a name of the beginning. When another one has begun already it is that one's, to be helped; None
        when another one has finished since the incarnation ``seen`` was looked up. What is stored is forgotten
        where it is not known how much of the log it contains, or with ``anew``. Redis answers nobody meanwhile:
        about a second for a million keys, those of others included.
        """
        with self._away_on_error():
            token = f"{await self._server_id()} {ULID()}"
        keys = [self._meta, self._claims, self._spent, self._claimed]
        told = "" if seen is None else seen
        (begun,) = await self._scripts(scripts.BEGIN, [(keys, [self._prefix, "anew" if anew else "", told, token])])
        return bytes(begun).decode() or None

    async def complete(self, begun: str, incarnation: int) -> bool:
        """Declare the store caught up as of the incarnation of a beginning; False when another one took its place."""
        server, _, _ = begun.partition(" ")
        (answer,) = await self._scripts(scripts.COMPLETE, [([self._meta], [begun, incarnation, server])])
        if answer == 1:
            await self.trust(incarnation)
        return bool(answer)

    async def drop_stale_claims(self, older_than_s: int) -> None:
        """Drop claims that their writer can no longer settle."""
        await self._drop_claims(older_than_s)

    async def drop_budget_days(self, before: int) -> None:
        """Forget what was spent on UTC days that no decision can concern any more."""
        with self._away_on_error():
            names = await self._command(self._client.hkeys(self._spent))
            old = [name for name in names if int(name.rpartition(b" ")[2]) < before]
            if old:
                await self._command(self._client.hdel(self._spent, *old))

    async def _drop_claims(self, older_than_s: int) -> None:
        with self._away_on_error():
            seconds, _ = await self._command(self._client.time())
            stale = await self._command(self._client.zrangebyscore(self._claims, 0, seconds - older_than_s))
        await self._drop([_split_claim(name) for name in stale])

    async def _server_id(self) -> str:
        return cast(str, (await self._command(self._client.info("server")))["run_id"])

    async def _greet(self, connection: Any) -> None:
        """Check on every new connection that this is still the server that was caught up.

        A restarted server may come back with an old snapshot under the same incarnation: its
        ``run_id`` tells, and every client has to connect anew after a restart.
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

    def _trusted(self) -> int:
        if self._incarnation is None:
            raise StateUnavailable("the state store has not caught up with the log")
        return self._incarnation

    async def _drop(self, claims: Sequence[tuple[ShopperKey, str]]) -> None:
        await self._scripts(
            scripts.DROP,
            [
                (
                    [self._key(shopper), self._claims, self._spent, self._claimed],
                    [name, _claim_name(shopper, name)],
                )
                for shopper, name in claims
            ],
        )

    async def _scripts(self, script: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
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
        """Map every driver error to `StateUnavailable`; from then on nothing is trusted until it caught up."""
        try:
            yield
        except (TimeoutError, RedisError, OSError) as error:
            self.distrust()
            lost = isinstance(error, ResponseError)  # what the driver says stays in the service's own log
            raise StateUnavailable(
                "the state store was emptied or restarted" if lost else "it cannot be reached"
            ) from error


def _claim_name(shopper: ShopperKey, name: str) -> str:
    return f"{shopper} {name}"  # keys have no spaces


def _split_claim(name: bytes) -> tuple[ShopperKey, str]:
    shopper, _, claim = name.decode().partition(" ")
    return ShopperKey(shopper), claim


def _day_name(day: BudgetDay) -> str:
    return f"{day[0]} {day[1]}"


def _day_of(name: bytes) -> BudgetDay:
    channel, _, day = name.decode().rpartition(" ")
    return channel, int(day)


def _reserved(answer: Any) -> Reserved | StateChanged | NoLongerAllowed:
    if isinstance(answer, list):
        return StateChanged(_stored(_pairs(answer)))
    return Reserved() if answer == 1 else NoLongerAllowed()


def _pairs(flat: Sequence[bytes]) -> Hash:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _folded(fields: Hash) -> ShopperState:
    blob = fields.get(b"b")
    return ShopperState() if blob is None else _decode_state(blob)


def _claims(fields: Hash) -> Iterator[tuple[str, bytes]]:
    return ((name.decode(), value) for name, value in fields.items() if name[1:2] == b":")


def _stored(fields: Hash, position: int = 0, spent: Spent = NOTHING_SPENT) -> StoredState:
    state = _folded(fields)
    for name, value in _claims(fields):
        if name.startswith(_PLACE):
            state = state.with_claim(_decode_send(value))
        else:
            state = state.without_consent(value.decode())
    return StoredState(state, int(fields.get(b"v", 0)), position, spent)
