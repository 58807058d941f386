"""The laws of the state store, on a real Redis: places by version, rows once and in order, trust only when whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis.asyncio as redis_asyncio

from decision_service.state.base import (
    NoLongerAllowed,
    Projection,
    Reservation,
    Reserved,
    StateChanged,
    StateUnavailable,
    Step,
    Withdrawal,
)
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKey
from policies.rules.budget import utc_day
from policies.shopper.state import Send, ShopperState
from tests.conftest import RealRedis
from tests.factories import NOW

pytestmark = pytest.mark.anyio

Open = Callable[..., Awaitable[RedisStateStore]]


async def begun(store: RedisStateStore, *, anew: bool = False) -> str:
    token = await store.begin(await store.stored_incarnation(), anew=anew)
    assert token is not None
    return token


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
                assert await store.complete(await begun(store), 1)
            await store.trust(1)
        return store

    yield open_one
    for store in opened:
        await store.close()


S = ShopperKey("s")


def place(version: int, event_id: str = "e", *, unique: str = "1", shopper: ShopperKey = S) -> Reservation:
    return Reservation(shopper, version, f"{event_id}/{unique}", Send(event_id, NOW, "m", "push", "c"), catalogue=1)


def paid(number: int, *, budget: int | None = 100_000) -> Reservation:
    """One of many shoppers' text messages of 0.03 on the same day."""
    send = Send(f"e-{number}", NOW, "m", "sms", "c", cost=0.03)
    return Reservation(ShopperKey(f"s-{number}"), 0, f"e-{number}/1", send, catalogue=1, budget=budget)


DAY = ("sms", utc_day(NOW))


async def test_a_shopper_never_seen_has_the_empty_state(open_store: Open) -> None:
    stored = await (await open_store()).read(ShopperKey("nobody"))
    assert (stored.state, stored.version) == (ShopperState(), 0)


async def test_a_version_gives_one_place_to_one_of_many(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    answers = await asyncio.gather(*((one, two)[n % 2].reserve(place(0, f"e-{n}", unique=str(n))) for n in range(100)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 1
    (taken,) = (await one.read(S)).state.sends
    moved = next(answer for answer in answers if isinstance(answer, StateChanged))
    assert moved.stored.state.sends == (taken,)
    assert isinstance(await two.reserve(place(moved.stored.version, "late")), Reserved)


async def test_with_retries_a_cap_of_three_gives_three_places(open_store: Open) -> None:
    stores = [await open_store(), await open_store()]

    async def take(number: int) -> bool:
        store = stores[number % 2]
        stored = await store.read(S)
        while len(stored.state.sends) < 3:
            answer = await store.reserve(place(stored.version, f"e-{number}"))
            if isinstance(answer, Reserved):
                return True
            assert isinstance(answer, StateChanged)
            stored = answer.stored
        return False

    assert sum(await asyncio.gather(*(take(number) for number in range(100)))) == 3


async def test_a_place_given_back_is_free_and_moves_the_version(open_store: Open) -> None:
    store = await open_store()
    await store.reserve(place(0))
    await store.release(place(0))
    await store.release(place(0))
    stored = await store.read(S)
    assert stored.state.sends == ()
    assert isinstance(await store.reserve(place(0)), StateChanged)


async def test_a_withdrawal_is_seen_at_once_by_who_reads_and_by_who_reserves(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    before = await one.read(S)
    withdrawal = Withdrawal.of(S, "push")
    await two.withdraw([withdrawal])
    assert (await one.read(S)).state.consent == {"push": False}
    answer = await one.reserve(place(before.version))
    assert isinstance(answer, StateChanged)
    assert answer.stored.state.consent == {"push": False}
    await one.retract([withdrawal])
    assert (await two.read(S)).state.consent == {}


async def test_rows_are_applied_in_order_each_once_and_settle_their_claims(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    await one.reserve(place(0))
    claims = (await one.folded([S]))[S].claims
    (name,) = claims
    state = ShopperState().with_send(Send("e", NOW, "m", "push", "c"))
    shoppers = {S: Projection(state, (name,))}
    assert not await one.apply(Step(3, 5, shoppers))
    step = Step(0, 5, shoppers)
    assert sorted(await asyncio.gather(one.apply(step), two.apply(step))) == [False, True]
    assert await two.position() == 5
    assert (await one.folded([S]))[S].claims == {}
    assert (await two.read(S)).state == state
    await one.drop_stale_claims(0)
    assert (await two.read(S)).state == state


async def test_a_budget_is_never_overdrawn_by_many_at_once(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    answers = await asyncio.gather(*((one, two)[n % 2].reserve(paid(n)) for n in range(50)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 3
    assert sum(isinstance(answer, NoLongerAllowed) for answer in answers) == 47
    assert (await one.read(S, [DAY])).spent == {DAY: 90_000}
    assert isinstance(await one.reserve(paid(100, budget=None)), Reserved)  # a critical send costs, but is not refused
    assert (await two.read(S, [DAY])).spent == {DAY: 120_000}


async def test_a_place_given_back_is_refunded_once(open_store: Open) -> None:
    store = await open_store()
    await store.reserve(paid(1))
    await store.release(paid(1))
    await store.release(paid(1))
    assert (await store.read(S, [DAY])).spent == {DAY: 0}


async def test_a_settled_place_costs_what_its_row_says_and_no_more(open_store: Open) -> None:
    store, reservation = await open_store(), paid(1)
    await store.reserve(reservation)
    (claim,) = (await store.folded([reservation.shopper]))[reservation.shopper].claims
    projection = Projection(ShopperState().with_send(reservation.send), (claim,))
    assert await store.apply(Step(0, 1, {reservation.shopper: projection}, {DAY: 30_000}))
    assert (await store.read(S, [DAY])).spent == {DAY: 30_000}
    await store.drop_stale_claims(0)
    assert (await store.read(S, [DAY])).spent == {DAY: 30_000}
    assert await store.apply(Step(1, 2, {}, {DAY: -30_000}))
    assert (await store.read(S, [DAY])).spent == {DAY: 0}


async def test_days_long_over_are_forgotten(open_store: Open) -> None:
    store = await open_store()
    assert await store.apply(Step(0, 1, {}, {DAY: 5, ("sms", DAY[1] - 40): 7}))
    await store.drop_budget_days(DAY[1] - 31)
    assert (await store.read(S, [DAY, ("sms", DAY[1] - 40)])).spent == {DAY: 5, ("sms", DAY[1] - 40): 0}


async def test_a_decision_under_a_catalogue_that_was_replaced_takes_no_place(open_store: Open) -> None:
    store = await open_store()
    assert await store.apply(Step(0, 1, {}, catalogue=2))
    assert isinstance(await store.reserve(place(0)), NoLongerAllowed)
    newer = Reservation(S, 0, "e/1", Send("e", NOW, "m", "push", "c"), catalogue=2)
    assert isinstance(await store.reserve(newer), Reserved)


async def test_what_is_read_says_up_to_where_it_contains_the_log(open_store: Open) -> None:
    store = await open_store()
    assert (await store.read(S)).position == 0
    assert await store.apply(Step(0, 7, {S: Projection(ShopperState(locale="es"))}))
    stored = await store.read(S)
    assert (stored.position, stored.state.locale) == (7, "es")
    assert await store.apply(Step(7, 8, {S: Projection(None)}))
    assert (await store.read(S)).state == ShopperState()


async def test_claims_that_nobody_settled_are_dropped_when_stale(open_store: Open) -> None:
    store = await open_store()
    await store.reserve(place(0, "id with / in it"))
    await store.withdraw([Withdrawal.of(S, "sms")])
    await store.drop_stale_claims(3_600)
    assert len((await store.read(S)).state.sends) == 1
    await store.drop_stale_claims(0)
    stored = await store.read(S)
    assert (stored.state.sends, stored.state.consent) == ((), {})


async def test_another_logs_states_are_another_world(open_store: Open) -> None:
    one, other = await open_store("log"), await open_store("other")
    await one.reserve(place(0))
    assert (await other.read(S)).state.sends == ()
    await begun(other)
    assert len((await one.read(S)).state.sends) == 1


async def test_an_untrusted_store_answers_nothing(open_store: Open) -> None:
    store = await open_store(trusted=False)
    for call in (store.read(S), store.reserve(place(0)), store.withdraw([Withdrawal.of(S, "push")])):
        with pytest.raises(StateUnavailable, match="not caught up"):
            await call


async def test_an_emptied_server_is_away_for_reads_and_reservations(open_store: Open, redis: RealRedis) -> None:
    reader, writer = await open_store(), await open_store()
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.flushall()
    await client.aclose()
    with pytest.raises(StateUnavailable):
        await reader.read(S)
    with pytest.raises(StateUnavailable):
        await writer.reserve(place(0))
    assert reader.incarnation is writer.incarnation is None


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


async def test_a_server_restarted_from_an_old_snapshot_is_found_out(open_store: Open, redis: RealRedis) -> None:
    """The snapshot brings the incarnation back, but not the rows since: only the server's own id tells."""
    store = await open_store()
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.save()
    await client.aclose()
    await store.reserve(place(0))
    redis.kill()
    redis.start()
    with pytest.raises(StateUnavailable):
        await store.read(S)
    await store.prepare()
    assert not await store.is_current(1)


async def test_a_server_that_may_evict_states_is_refused(open_store: Open, redis: RealRedis) -> None:
    client = redis_asyncio.Redis.from_url(redis.url)
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.aclose()
    with pytest.raises(StateUnavailable, match="noeviction"):
        await open_store()


async def apply_one(store: RedisStateStore, before: int) -> bool:
    return await store.apply(Step(before, before + 1, {S: Projection(ShopperState(locale="es"))}, {DAY: 30_000}))


async def test_beginning_forgets_what_nobody_knows_the_position_of(open_store: Open, redis: RealRedis) -> None:
    store, other = await open_store(), await open_store("another log")
    assert await apply_one(store, 0)
    assert await apply_one(other, 0)
    await begun(store)
    assert (await store.position(), [key async for key in store.shoppers()]) == (1, [S])
    async with redis_asyncio.Redis.from_url(redis.url) as client:
        await client.hdel("ds:log:meta", "position")
    await begun(store)
    assert (await store.position(), [key async for key in store.shoppers()], await store.spent()) == (0, [], {})
    assert [key async for key in other.shoppers()] == [S]


async def test_beginning_anew_forgets_once_whoever_else_begins(open_store: Open) -> None:
    """A keeper that begins after another one has applied rows must not forget them."""
    one, two = await open_store(), await open_store()
    assert await apply_one(one, 0)
    await begun(one, anew=True)
    assert await one.position() == 0
    assert await apply_one(one, 0)
    await begun(two)
    assert (await two.position(), (await two.folded([S]))[S].state.locale) == (1, "es")


async def test_keepers_that_begin_at_once_finish_one_beginning(open_store: Open) -> None:
    one, two = await open_store(trusted=False), await open_store(trusted=False)
    first, second = await asyncio.gather(begun(one), begun(two))
    assert first == second
    assert await one.complete(first, 1)
    assert isinstance(await one.reserve(place(0)), Reserved)
    assert not await two.complete(second, 1)
    assert await two.is_current(1)


async def test_who_looked_before_another_finished_must_look_again(open_store: Open) -> None:
    one, two = await open_store(trusted=False), await open_store(trusted=False)
    seen = await two.stored_incarnation()
    assert await one.complete(await begun(one), 1)
    assert isinstance(await one.reserve(place(0)), Reserved)
    assert await two.begin(seen) is None
    assert len((await one.read(S)).state.sends) == 1


async def test_a_beginning_on_a_server_that_died_is_not_helped(open_store: Open, redis: RealRedis) -> None:
    store = await open_store(trusted=False)
    old = await begun(store)
    async with redis_asyncio.Redis.from_url(redis.url) as client:
        await client.save()
    redis.kill()
    redis.start()
    with pytest.raises(StateUnavailable):
        await store.position()
    await store.prepare()
    assert await begun(store) != old


async def test_what_was_spent_is_told_without_claims(open_store: Open) -> None:
    store = await open_store()
    assert await apply_one(store, 0)
    assert isinstance(await store.reserve(paid(1)), Reserved)
    assert await store.spent() == {DAY: 30_000}
