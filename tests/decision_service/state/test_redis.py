"""The laws of the state store, on a real Redis: places by version, rows once and in order, trust only when whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis.asyncio as redis_asyncio

from decision_service.state.base import Moved, Projection, Reservation, Reserved, StateAway, Withdrawal
from decision_service.state.redis import RedisStateStore
from policies.shopper import Send, ShopperState
from tests.conftest import RealRedis
from tests.factories import NOW

pytestmark = pytest.mark.anyio

Open = Callable[..., Awaitable[RedisStateStore]]


@pytest.fixture
async def open_store(redis: RealRedis) -> AsyncIterator[Open]:
    """Open stores of one log (or another's), trusted unless said otherwise."""
    opened: list[RedisStateStore] = []

    async def open_one(namespace: str = "log", *, trusted: bool = True) -> RedisStateStore:
        store = RedisStateStore.connect(redis.url, namespace)
        opened.append(store)
        await store.prepare()
        if trusted:
            if not await store.is_current(1):
                await store.begin()
                await store.complete(1)
            await store.trust(1)
        return store

    yield open_one
    for store in opened:
        await store.close()


def place(version: int, event_id: str = "e", *, shopper_id: str = "s", unique: str = "1") -> Reservation:
    return Reservation(shopper_id, version, f"{event_id}/{unique}", Send(event_id, NOW, "m", "push", "c"))


async def test_a_shopper_never_seen_has_the_empty_state(open_store: Open) -> None:
    stored = await (await open_store()).read("nobody")
    assert (stored.state, stored.version) == (ShopperState(), 0)


async def test_a_version_gives_one_place_to_one_of_many(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    answers = await asyncio.gather(*((one, two)[n % 2].reserve(place(0, f"e-{n}", unique=str(n))) for n in range(100)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 1
    (taken,) = (await one.read("s")).state.sends
    moved = next(answer for answer in answers if isinstance(answer, Moved))
    assert moved.stored.state.sends == (taken,)
    assert isinstance(await two.reserve(place(moved.stored.version, "late")), Reserved)


async def test_with_retries_a_cap_of_three_gives_three_places(open_store: Open) -> None:
    stores = [await open_store(), await open_store()]

    async def take(number: int) -> bool:
        store = stores[number % 2]
        stored = await store.read("s")
        while len(stored.state.sends) < 3:
            answer = await store.reserve(place(stored.version, f"e-{number}"))
            if isinstance(answer, Reserved):
                return True
            stored = answer.stored
        return False

    assert sum(await asyncio.gather(*(take(number) for number in range(100)))) == 3


async def test_a_place_given_back_is_free_and_moves_the_version(open_store: Open) -> None:
    store = await open_store()
    await store.reserve(place(0))
    await store.release(place(0))
    await store.release(place(0))
    stored = await store.read("s")
    assert stored.state.sends == ()
    assert isinstance(await store.reserve(place(0)), Moved)


async def test_a_withdrawal_is_seen_at_once_by_who_reads_and_by_who_reserves(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    before = await one.read("s")
    withdrawal = Withdrawal.of("s", "push")
    await two.withdraw([withdrawal])
    assert (await one.read("s")).state.consent == {"push": False}
    answer = await one.reserve(place(before.version))
    assert isinstance(answer, Moved)
    assert answer.stored.state.consent == {"push": False}
    await one.retract([withdrawal])
    assert (await two.read("s")).state.consent == {}


async def test_rows_are_applied_in_order_each_once_and_settle_their_claims(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    await one.reserve(place(0))
    claims = (await one.folded(["s"]))["s"].claims
    (name,) = claims
    state = ShopperState().with_send(Send("e", NOW, "m", "push", "c"))
    projections = {"s": Projection(state, (name,))}
    assert not await one.apply(3, 5, projections)
    assert sorted(await asyncio.gather(one.apply(0, 5, projections), two.apply(0, 5, projections))) == [False, True]
    assert await two.position() == 5
    assert (await one.folded(["s"]))["s"].claims == {}
    assert (await two.read("s")).state == state
    await one.drop_stale_claims(0)
    assert (await two.read("s")).state == state


async def test_claims_that_nobody_settled_are_dropped_when_stale(open_store: Open) -> None:
    store = await open_store()
    await store.reserve(place(0, "id with / in it"))
    await store.withdraw([Withdrawal.of("s", "sms")])
    await store.drop_stale_claims(3_600)
    assert len((await store.read("s")).state.sends) == 1
    await store.drop_stale_claims(0)
    stored = await store.read("s")
    assert (stored.state.sends, stored.state.consent) == ((), {})


async def test_another_logs_states_are_another_world(open_store: Open) -> None:
    one, other = await open_store("log"), await open_store("other")
    await one.reserve(place(0))
    assert (await other.read("s")).state.sends == ()
    await other.begin()
    assert len((await one.read("s")).state.sends) == 1


async def test_an_untrusted_store_answers_nothing(open_store: Open) -> None:
    store = await open_store(trusted=False)
    for call in (store.read("s"), store.reserve(place(0)), store.withdraw([Withdrawal.of("s", "push")])):
        with pytest.raises(StateAway, match="not caught up"):
            await call


async def test_an_emptied_server_is_away_for_reads_and_reservations(open_store: Open, redis: RealRedis) -> None:
    reader, writer = await open_store(), await open_store()
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.flushall()
    await client.aclose()
    with pytest.raises(StateAway):
        await reader.read("s")
    with pytest.raises(StateAway):
        await writer.reserve(place(0))
    assert reader.incarnation is writer.incarnation is None


async def test_a_killed_server_is_away_and_a_restarted_one_is_not_trusted(open_store: Open, redis: RealRedis) -> None:
    store = await open_store()
    await store.read("s")
    redis.kill()
    with pytest.raises(StateAway):
        await store.read("s")
    redis.start()
    with pytest.raises(StateAway):
        await store.read("s")
    await store.prepare()
    assert not await store.is_current(1)


async def test_a_server_restarted_from_an_old_snapshot_is_found_out(open_store: Open, redis: RealRedis) -> None:
    """The snapshot brings the incarnation back, but not the rows since: only the server's own id tells."""
    store = await open_store()
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.save()
    await client.aclose()
    await store.reserve(place(0))
    redis.kill()
    redis.start()
    with pytest.raises(StateAway):
        await store.read("s")
    await store.prepare()
    assert not await store.is_current(1)


async def test_a_server_that_may_evict_states_is_refused(open_store: Open, redis: RealRedis) -> None:
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.aclose()
    with pytest.raises(StateAway, match="noeviction"):
        await open_store()
