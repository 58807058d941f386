"""The state store in Redis beyond the port's laws: servers that are emptied, killed, restored, or may evict states."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as redis_asyncio

from decision_service.state.base import StateStore, StateUnavailable, UnreadableState
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import ShopperUpdate, StateUpdate
from policies.shopper.state import ShopperState
from tests.conftest import RealRedis
from tests.decision_service.state.stores import Open, S, apply_one, begin, make_ready, reservation, reserve

SHOPPERS = [S, ShopperKey("other")]


@pytest.fixture
async def open_store(redis: RealRedis) -> AsyncIterator[Open]:
    """Open stores of one log (or of another one)."""
    opened: list[StateStore] = []

    async def open_one(log: str = "log", *, trusted: bool = True) -> StateStore:
        store = RedisStateStore(redis.url, log)
        opened.append(store)
        return await make_ready(store, trusted=trusted)

    yield open_one
    for store in opened:
        await store.close()


@pytest.mark.anyio
async def test_an_emptied_server_is_away_for_reads_and_reservations(open_store: Open, redis: RealRedis) -> None:
    reader, writer = await open_store(), await open_store()
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.flushall()
    await client.aclose()
    with pytest.raises(StateUnavailable):
        await reader.read(S)
    with pytest.raises(StateUnavailable):
        await reserve(writer, reservation(0))
    assert reader.incarnation is writer.incarnation is None


@pytest.mark.anyio
async def test_a_killed_server_is_away_and_a_restarted_one_is_not_trusted(open_store: Open, redis: RealRedis) -> None:
    store = await open_store()
    await store.read(S)
    redis.kill()
    with pytest.raises(StateUnavailable):
        await store.read(S)
    redis.start()
    with pytest.raises(StateUnavailable):
        await store.read(S)
    await store.prepare()
    assert not await store.is_current(1)


@pytest.mark.anyio
async def test_a_server_restarted_from_an_old_snapshot_is_found_out(open_store: Open, redis: RealRedis) -> None:
    """The snapshot brings the incarnation back, but not the rows since: only the server's own id tells."""
    store = await open_store()
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.save()
    await client.aclose()
    await reserve(store, reservation(0))
    redis.kill()
    redis.start()
    with pytest.raises(StateUnavailable):
        await store.read(S)
    await store.prepare()
    assert not await store.is_current(1)


@pytest.mark.anyio
async def test_a_server_that_may_evict_states_is_refused(open_store: Open, redis: RealRedis) -> None:
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.aclose()
    with pytest.raises(StateUnavailable, match="noeviction"):
        await open_store()


@pytest.mark.anyio
async def test_beginning_forgets_what_nobody_knows_the_position_of(open_store: Open, redis: RealRedis) -> None:
    store, other = await open_store(), await open_store("another log")
    assert await apply_one(store, 0)
    assert await apply_one(other, 0)
    await begin(store)
    assert (await store.position(), [key async for key in store.shoppers()]) == (1, [S])
    async with redis_asyncio.Redis.from_url(redis.url) as client:
        await client.hdel("ds:log:meta", "position")
    await begin(store)
    assert (await store.position(), [key async for key in store.shoppers()], await store.spending()) == (0, [], {})
    assert [key async for key in other.shoppers()] == [S]


@pytest.mark.anyio
async def test_a_beginning_on_a_server_that_died_is_not_helped(open_store: Open, redis: RealRedis) -> None:
    store = await open_store(trusted=False)
    old = await begin(store)
    async with redis_asyncio.Redis.from_url(redis.url) as client:
        await client.save()
    redis.kill()
    redis.start()
    with pytest.raises(StateUnavailable):
        await store.position()
    await store.prepare()
    assert await begin(store) != old


@pytest.mark.anyio
async def test_what_is_no_state_differs_from_an_empty_one(open_store: Open, redis: RealRedis) -> None:
    store = await open_store()
    async with redis_asyncio.Redis.from_url(redis.url) as client:
        await client.hset("ds:log:s:s", "b", b"no state")
    with pytest.raises(UnreadableState):
        await store.read_folded([S])
    with pytest.raises(UnreadableState):
        await store.read_many([ShopperKey("other"), S])


@pytest.mark.anyio
async def test_a_reservation_that_cannot_be_decoded_is_settled_by_its_decision(
    open_store: Open, redis: RealRedis
) -> None:
    """Otherwise one damaged reservation would keep all later rows of the shopper out of the store."""
    store = await open_store()
    async with redis_asyncio.Redis.from_url(redis.url) as client:
        await client.hset("ds:log:s:s", mapping={"v": "1", "p:e-1/x": b"damaged"})
    with pytest.raises(UnreadableState):
        await store.read(S)
    assert await store.apply(StateUpdate(0, 1, {S: ShopperUpdate(decided=["e-1"])}))
    assert (await store.read(S)).state == ShopperState()
