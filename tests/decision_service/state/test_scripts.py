"""The Lua scripts against their specification: after any calls, Redis holds what the store in memory holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decision_service.state.base import StateStore
from decision_service.state.pending import Reservation, Withdrawal
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import ShopperUpdate, StateUpdate
from policies.rules.budget import BudgetDay, utc_day
from policies.shopper.state import Send, ShopperState
from tests.conftest import RealRedis
from tests.decision_service.state.memory import Memory, MemoryStateStore
from tests.decision_service.state.stores import begin, make_ready
from tests.factories import NOW

SHOPPERS = [ShopperKey("s-1"), ShopperKey("s-2")]
DAYS: list[BudgetDay] = [(channel, utc_day(NOW) + ahead) for channel in ("sms", "text") for ahead in (0, 1)]

namespaces = count()

Wish = tuple[ShopperKey, Send, int, int | None, tuple[str, ...], bool]
"""A shopper, a send, the version of the catalogue, the budget, former channels, and whether the version is stale."""


@dataclass
class Caller:
    """Makes the same calls of one of the stores; all it returns is what the store answered."""

    store: StateStore
    reservations: list[Reservation] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)

    async def reserve(self, wishes: list[Wish]) -> object:
        """Reserve several sends in one trip; a send after another one of its shopper names the next version."""
        reservations: list[Reservation] = []
        for shopper, send, catalogue, budget, former, stale in wishes:
            before = sum(reservation.shopper == shopper for reservation in reservations)
            version = -1 if stale else (await self.store.read(shopper)).version + before
            attempt = f"{send.event_id}/{len(self.reservations) + len(reservations)}"
            reservations.append(Reservation(shopper, version, attempt, send, catalogue, budget, former))
        self.reservations += reservations
        return await self.store.reserve_many(reservations)

    async def release(self, number: int) -> None:
        if self.reservations:
            await self.store.release([self.reservations[number % len(self.reservations)]])

    async def withdraw(self, shopper: ShopperKey, path: str, head: str) -> None:
        self.withdrawals.append(Withdrawal(shopper, path, f"{head}{len(self.withdrawals)}"))
        await self.store.withdraw(self.withdrawals[-1:])

    async def retract(self, number: int) -> None:
        if self.withdrawals:
            await self.store.retract([self.withdrawals[number % len(self.withdrawals)]])

    async def apply(
        self, shopper: ShopperKey, change: ShopperUpdate, catalogue: int | None, cost: int, gap: int
    ) -> bool:
        before = await self.store.position() + gap
        uses = {("channels.sms", -1): len(change.decided)}
        return await self.store.apply(
            StateUpdate(before, before + 2, {shopper: change}, {DAYS[0]: cost}, catalogue, uses)
        )

    async def drop_pending(self, older_than_s: int) -> None:
        await self.store.drop_pending(older_than_s)

    async def begin_and_complete(self, anew: bool) -> bool:
        incarnation = (await self.store.stored_incarnation() or 0) + 1
        return await self.store.complete(await begin(self.store, anew=anew), incarnation)

    async def content(self) -> object:
        """Return everything that the store holds; versions are its own affair."""
        reads = [msgspec.structs.replace(await self.store.read(shopper, DAYS), version=0) for shopper in SHOPPERS]
        folded = await self.store.read_folded(SHOPPERS)
        listed = {shopper async for shopper in self.store.shoppers()}
        kept = {shopper for shopper, read in zip(SHOPPERS, reads, strict=True) if read.state != ShopperState()}
        assert kept <= listed
        sums = await self.store.spending(), await self.store.uses()
        return reads, folded, sums, await self.store.position()


PATHS = ["consent.sms", "consent", "subscribed", "reachable.sms", "muted_categories.cart"]


shoppers = st.sampled_from(SHOPPERS)
sends = st.builds(
    Send,
    event_id=st.sampled_from(["e1", "e2", "e1/0"]),
    send_at=st.sampled_from([NOW, NOW + 86_400]),
    message=st.just("m"),
    channel=st.sampled_from(["sms", "text"]),
    category=st.just("c"),
    cost=st.sampled_from([0.0, 0.03]),
)
wishes = st.tuples(
    shoppers,
    sends,
    st.integers(1, 2),
    st.sampled_from([None, 30_000, 60_000]),
    st.sampled_from([(), ("text",)]),
    st.booleans(),
)
changes = st.builds(
    ShopperUpdate,
    st.sampled_from([None, ShopperState(), ShopperState(locale="es"), ShopperState(locale="en")]),
    decided=st.lists(st.sampled_from(["e1", "e2", "e1/0"]), max_size=2),
    withheld=st.dictionaries(st.sampled_from(PATHS), st.integers(1, 4), max_size=2),
)
calls = st.one_of(
    st.tuples(st.just(Caller.reserve), st.lists(wishes, max_size=4)),
    st.tuples(st.just(Caller.release), st.integers(0, 3)),
    st.tuples(
        st.just(Caller.withdraw),
        shoppers,
        st.sampled_from(PATHS),
        st.sampled_from(["", "0/", "2/", "3/"]),
    ),
    st.tuples(st.just(Caller.retract), st.integers(0, 3)),
    st.tuples(
        st.just(Caller.apply),
        shoppers,
        changes,
        st.sampled_from([None, None, 2]),
        st.sampled_from([0, 30_000, -30_000]),
        st.sampled_from([0, 0, 1]),
    ),
    st.tuples(st.just(Caller.drop_pending), st.sampled_from([0, 3_600])),
    st.tuples(st.just(Caller.begin_and_complete), st.booleans()),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.lists(calls, max_size=15))
def test_after_any_calls_redis_holds_what_the_specification_holds(
    redis: RealRedis, sequence: list[tuple[Callable[..., object], object]]
) -> None:
    async def scenario() -> None:
        in_redis = RedisStateStore(redis.url, f"log-{next(namespaces)}")
        callers = [Caller(await make_ready(store)) for store in (in_redis, MemoryStateStore(Memory()))]
        try:
            for call, *arguments in sequence:
                answers = [await call(caller, *arguments) for caller in callers]  # type: ignore[misc]
                assert answers[0] == answers[1]
                contents = [await caller.content() for caller in callers]
                assert contents[0] == contents[1]
        finally:
            await in_redis.close()

    asyncio.run(scenario())


async def read_spending(store: StateStore) -> int:
    """Return what was spent on the first day, reservations included."""
    return (await store.read(SHOPPERS[0], DAYS)).spent[DAYS[0]]


def test_large_numbers_are_kept(redis: RealRedis) -> None:
    """Redis 7.2.4 writes the Lua number 100000000 as 1e+08, which it then refuses (redis issue 13113)."""
    large = 100_000_000
    send = Send(event_id="e1", send_at=NOW, message="m", channel="sms", category="c", cost=large / 1e6)
    update = StateUpdate(
        0, large, {SHOPPERS[0]: ShopperUpdate()}, {DAYS[0]: large}, large, {("channels.sms", -1): large}
    )

    async def scenario() -> None:
        in_redis = RedisStateStore(redis.url, f"log-{next(namespaces)}")
        callers = [Caller(await make_ready(store)) for store in (in_redis, MemoryStateStore(Memory()))]
        try:
            for caller in callers:
                await caller.reserve([(SHOPPERS[0], send, 1, large, (), False)])
                assert await read_spending(caller.store) == large
                assert await caller.store.apply(update)
                assert await read_spending(caller.store) == 2 * large
                await caller.release(0)
                assert await read_spending(caller.store) == large
                assert await caller.store.position() == large
            assert await callers[0].content() == await callers[1].content()
        finally:
            await in_redis.close()

    asyncio.run(scenario())
