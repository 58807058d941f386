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

from decision_service.names import ShopperKey
from decision_service.state.base import (
    Folded,
    Moved,
    Overtaken,
    Reservation,
    Reserved,
    StateAway,
    Step,
    Stored,
    Withdrawal,
)
from decision_service.state.coalescer import Coalescer
from policies.budget import NOTHING_SPENT, BudgetDay, Spent, millionths, utc_day
from policies.shopper import Send, ShopperState

_RESERVE = """
local known = redis.call('HMGET', KEYS[1], 'incarnation', 'catalogue')
if known[1] ~= ARGV[1] then return redis.error_reply('AWAY') end
if tonumber(ARGV[6]) < tonumber(known[2] or 0) then return 0 end
if (redis.call('HGET', KEYS[2], 'v') or '0') ~= ARGV[2] then return redis.call('HGETALL', KEYS[2]) end
local cost = tonumber(ARGV[8])
if cost > 0 then
  local spent = tonumber(redis.call('HGET', KEYS[4], ARGV[7]) or 0)
  if ARGV[9] ~= '' and spent + cost > tonumber(ARGV[9]) then return 0 end
  redis.call('HINCRBY', KEYS[4], ARGV[7], cost)
  redis.call('HSET', KEYS[5], ARGV[5], cost .. ' ' .. ARGV[7])
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('HINCRBY', KEYS[2], 'v', 1)
redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[5])
return 1
"""

_CLAIM = """
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then return redis.error_reply('AWAY') end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('HINCRBY', KEYS[2], 'v', 1)
redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[4])
return 1
"""

_REFUND = """
local function refund(claimed, spent, name)
  local entry = redis.call('HGET', claimed, name)
  if entry then
    local cost, day = string.match(entry, '^(%d+) (.*)$')
    redis.call('HINCRBY', spent, day, -tonumber(cost))
    redis.call('HDEL', claimed, name)
  end
end
"""

_DROP = (
    _REFUND
    + """
redis.call('ZREM', KEYS[2], ARGV[2])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'v', 1)
  refund(KEYS[4], KEYS[3], ARGV[2])
end
return 1
"""
)

_APPLY = (
    _REFUND
    + """
if (redis.call('HGET', KEYS[1], 'position') or '0') ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'catalogue', ARGV[3]) end
local at = 5
for _ = 1, tonumber(ARGV[4]) do
  redis.call('HINCRBY', KEYS[3], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for k = 5, #KEYS do
  if ARGV[at] == '' then redis.call('HDEL', KEYS[k], 'b') else redis.call('HSET', KEYS[k], 'b', ARGV[at]) end
  redis.call('HINCRBY', KEYS[k], 'v', 1)
  local shopper, settled = ARGV[at + 1], tonumber(ARGV[at + 2])
  at = at + 3
  for _ = 1, settled do
    local claim = shopper .. ' ' .. ARGV[at]
    if redis.call('HDEL', KEYS[k], ARGV[at]) == 1 then refund(KEYS[4], KEYS[3], claim) end
    redis.call('ZREM', KEYS[2], claim)
    at = at + 1
  end
  if redis.call('HEXISTS', KEYS[k], 'b') == 0 and redis.call('HLEN', KEYS[k]) == 1 then redis.call('DEL', KEYS[k]) end
end
redis.call('HSET', KEYS[1], 'position', ARGV[2])
return 1
"""
)

# All at once: between looking whether rows are contained and forgetting everything, another keeper could apply some.
_BEGIN = (
    _REFUND
    + """
local known = redis.call('HMGET', KEYS[1], 'incarnation', 'begun', 'position')
local server = string.match(ARGV[4], '^[^ ]+')
if ARGV[2] == '' then
  if known[2] and known[3] and string.match(known[2], '^[^ ]+') == server then return known[2] end
  if (known[1] or '') ~= ARGV[3] then return '' end
end
redis.call('HDEL', KEYS[1], 'incarnation')
if ARGV[2] ~= '' or not known[3] then
  local cursor = '0'
  repeat
    local found = redis.call('SCAN', cursor, 'MATCH', ARGV[1] .. '*', 'COUNT', 1000)
    cursor = found[1]
    if #found[2] > 0 then redis.call('UNLINK', unpack(found[2])) end
  until cursor == '0'
  redis.call('HSET', KEYS[1], 'position', 0)
end
for _, claim in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local shopper, field = string.match(claim, '^([^ ]+) (.*)$')
  local key = ARGV[1] .. 's:' .. shopper
  if redis.call('HDEL', key, field) == 1 then
    redis.call('HINCRBY', key, 'v', 1)
    refund(KEYS[4], KEYS[3], claim)
  end
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'begun', ARGV[4])
return ARGV[4]
"""
)

_COMPLETE = """
if redis.call('HGET', KEYS[1], 'begun') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'begun')
redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'run_id', ARGV[3])
return 1
"""

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
        self._reads: Coalescer[_Read, Stored] = Coalescer(self._read_many)
        self._reserves: Coalescer[Reservation, Reserved | Moved | Overtaken] = Coalescer(self._reserve_many)

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

    async def read(self, shopper: ShopperKey, budget_days: Sequence[BudgetDay] = ()) -> Stored:
        """Give a shopper's state, claims counted."""
        return await self._reads((shopper, tuple(budget_days)))

    async def _read_many(self, reads: Sequence[_Read]) -> Sequence[Stored]:
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
            raise StateAway("the state store was emptied or restarted")
        spent = {day: int(value or 0) for day, value in zip(days, answers[0], strict=True)} if days else {}
        hashes = answers[bool(days) :]
        return [_stored(each, int(position or 0), spent) for each in hashes]

    async def reserve(self, reservation: Reservation) -> Reserved | Moved | Overtaken:
        """Take a place if the shopper's version is still the one decided on."""
        return await self._reserves(reservation)

    async def _reserve_many(self, reservations: Sequence[Reservation]) -> Sequence[Reserved | Moved | Overtaken]:
        incarnation = self._trusted()
        answers = await self._scripts(_RESERVE, [self._reserve_call(incarnation, each) for each in reservations])
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
            _CLAIM,
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

    async def folded(self, shoppers: Iterable[ShopperKey]) -> dict[ShopperKey, Folded]:
        """Give the folded states that a batch of rows is to be applied to."""
        names = list(shoppers)
        with self._away_on_error():
            pipeline = self._client.pipeline(transaction=False)
            for shopper in names:
                pipeline.hgetall(self._key(shopper))
            hashes = await pipeline.execute()
        return {name: Folded(_folded(each), dict(_claims(each))) for name, each in zip(names, hashes, strict=True)}

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
        (answer,) = await self._scripts(_APPLY, [(keys, arguments)])
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
        StateAway
            When its ``maxmemory-policy`` evicts keys.
        """
        with self._away_on_error():
            for script in (_BEGIN, _COMPLETE, _RESERVE, _CLAIM, _DROP, _APPLY):
                await self._command(self._client.script_load(script))
            policy = (await self._command(self._client.info("memory"))).get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise StateAway(f"Redis may evict states (maxmemory-policy {policy}); set it to noeviction")

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
        (begun,) = await self._scripts(_BEGIN, [(keys, [self._prefix, "anew" if anew else "", told, token])])
        return bytes(begun).decode() or None

    async def complete(self, begun: str, incarnation: int) -> bool:
        """Declare the store caught up as of the incarnation of a beginning; False when another one took its place."""
        server, _, _ = begun.partition(" ")
        (answer,) = await self._scripts(_COMPLETE, [([self._meta], [begun, incarnation, server])])
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
            raise StateAway("the state store has not caught up with the log")
        return self._incarnation

    async def _drop(self, claims: Sequence[tuple[ShopperKey, str]]) -> None:
        await self._scripts(
            _DROP,
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
        """Map every driver error to `StateAway`; from then on nothing is trusted until it caught up."""
        try:
            yield
        except (TimeoutError, RedisError, OSError) as error:
            self.distrust()
            lost = isinstance(error, ResponseError)  # what the driver says stays in the service's own log
            raise StateAway("the state store was emptied or restarted" if lost else "it cannot be reached") from error


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


def _reserved(answer: Any) -> Reserved | Moved | Overtaken:
    if isinstance(answer, list):
        return Moved(_stored(_pairs(answer)))
    return Reserved() if answer == 1 else Overtaken()


def _pairs(flat: Sequence[bytes]) -> Hash:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _folded(fields: Hash) -> ShopperState:
    blob = fields.get(b"b")
    return ShopperState() if blob is None else _decode_state(blob)


def _claims(fields: Hash) -> Iterator[tuple[str, bytes]]:
    return ((name.decode(), value) for name, value in fields.items() if name[1:2] == b":")


def _stored(fields: Hash, position: int = 0, spent: Spent = NOTHING_SPENT) -> Stored:
    state = _folded(fields)
    for name, value in _claims(fields):
        if name.startswith(_PLACE):
            state = state.with_send(_decode_send(value))
        else:
            state = state.without_consent(value.decode())
    return Stored(state, int(fields.get(b"v", 0)), position, spent)
