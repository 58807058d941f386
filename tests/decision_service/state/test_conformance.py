"""The laws of the state store, for every implementation of the port.

Reservations by version, rows once and in order, trust only while the store contains the log.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

import msgspec
import pytest

from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.pending import NoLongerAllowed, Reservation, Reserved, StateChanged, Withdrawal
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import ShopperUpdate, StateUpdate
from policies.shopper.fold import FOLD_VERSION
from policies.shopper.state import Send, ShopperState
from tests.conftest import RealRedis
from tests.decision_service.state.memory import Memory, MemoryStateStore
from tests.decision_service.state.stores import (
    DAY,
    Open,
    S,
    apply_one,
    begin,
    make_ready,
    paid_reservation,
    reservation,
    reserve,
)
from tests.factories import NOW

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["redis", "memory"])
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Open stores of one log (or of another one); those of one log share its states."""
    redis: RealRedis | None = request.getfixturevalue("redis") if request.param == "redis" else None
    memories: dict[str, Memory] = defaultdict(Memory)
    opened: list[StateStore] = []

    async def open_one(log: str = "log", *, trusted: bool = True, fold_version: int = FOLD_VERSION) -> StateStore:
        if redis is None:
            opened.append(MemoryStateStore(memories[log], fold_version))
        else:
            opened.append(RedisStateStore(redis.url, log, fold_version=fold_version))
        return await make_ready(opened[-1], trusted=trusted)

    yield open_one
    for store in opened:
        await store.close()


async def test_a_shopper_never_seen_has_the_empty_state(open_store: Open) -> None:
    stored = await (await open_store()).read(ShopperKey("nobody"))
    assert (stored.state, stored.version) == (ShopperState(), 0)


async def test_of_many_reservations_on_one_version_one_succeeds(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    answers = await asyncio.gather(
        *(reserve((one, two)[n % 2], reservation(0, f"e-{n}", unique=str(n))) for n in range(100))
    )
    assert sum(isinstance(answer, Reserved) for answer in answers) == 1
    (send,) = (await one.read(S)).state.sends
    assert sum(isinstance(answer, StateChanged) for answer in answers) == 99
    assert (await two.read(S)).state.sends == (send,)
    assert isinstance(await reserve(two, reservation((await two.read(S)).version, "late")), Reserved)


async def test_a_second_reservation_of_one_shopper_is_made_only_if_the_first_one_was(open_store: Open) -> None:
    store, other = await open_store(), ShopperKey("other")
    first, second = reservation(0, "e-1"), reservation(1, "e-2")
    results = await store.reserve_many([first, reservation(0, "e-0", shopper=other), second])
    assert results == [Reserved()] * 3
    assert [send.event_id for send in (await store.read(S)).state.sends] == ["e-1", "e-2"]
    version = (await store.read(S)).version
    # Somebody else has changed the state once since it was read: the second reservation names the version of now.
    results = await store.reserve_many([reservation(version - 1, "e-3"), reservation(version, "e-4")])
    assert results == [StateChanged(), StateChanged()]
    forbidden = msgspec.structs.replace(reservation(version, "e-5"), catalogue=0)
    assert await store.apply(StateUpdate(0, 1, {}, catalogue=1))
    assert await store.reserve_many([forbidden, reservation(version, "e-6")]) == [NoLongerAllowed(), StateChanged()]


async def test_reservations_of_one_trip_share_a_budget_in_their_order(open_store: Open) -> None:
    store = await open_store()
    results = await store.reserve_many([paid_reservation(number) for number in range(5)])
    assert results == [Reserved()] * 3 + [NoLongerAllowed()] * 2
    assert await store.reserve_many([]) == []


async def test_many_shoppers_are_read_with_what_every_day_has_cost(open_store: Open) -> None:
    store = await open_store()
    assert await apply_one(store, 0)
    assert isinstance(await reserve(store, paid_reservation(1)), Reserved)
    later = ("sms", DAY[1] + 1)
    one, nobody = await store.read_many([ShopperKey("s-1"), ShopperKey("nobody")], [DAY, later])
    assert one.spent == nobody.spent == {DAY: 60_000, later: 0}
    assert (one.position, nobody.position) == (1, 1)
    assert ([send.event_id for send in one.state.sends], nobody.state) == (["e-1"], ShopperState())
    days = [("sms", day) for day in range(2_500)]
    assert (await store.read(S, days)).spent == dict.fromkeys(days, 0)


async def test_with_retries_a_cap_of_three_gives_three_reservations(open_store: Open) -> None:
    stores = [await open_store(), await open_store()]

    async def take_place(number: int) -> bool:
        store = stores[number % 2]
        stored = await store.read(S)
        while len(stored.state.sends) < 3:
            answer = await reserve(store, reservation(stored.version, f"e-{number}"))
            if isinstance(answer, Reserved):
                return True
            assert isinstance(answer, StateChanged)
            stored = await store.read(S)
        return False

    assert sum(await asyncio.gather(*(take_place(number) for number in range(100)))) == 3


async def test_a_released_reservation_is_gone_and_changes_the_version(open_store: Open) -> None:
    store = await open_store()
    await reserve(store, reservation(0))
    await store.release([reservation(0)])
    await store.release([reservation(0)])
    stored = await store.read(S)
    assert stored.state.sends == ()
    assert isinstance(await reserve(store, reservation(0)), StateChanged)


async def test_a_withdrawal_is_seen_at_once_by_who_reads_and_by_who_reserves(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    before = await one.read(S)
    withdrawal = Withdrawal.of(S, "consent.push", 0)
    await two.withdraw([withdrawal])
    assert (await one.read(S)).state.consent == {"push": False}
    assert isinstance(await reserve(one, reservation(before.version)), StateChanged)
    await one.retract([withdrawal])
    assert (await two.read(S)).state.consent == {}


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("consent.push", ShopperState(consent={"sms": True, "push": False})),
        ("consent", ShopperState(erased=True)),
        ("subscribed", ShopperState(consent={"sms": True}, subscribed=False)),
        ("reachable.push", ShopperState(consent={"sms": True}, reachable={"push": False})),
        ("muted_categories.cart", ShopperState(consent={"sms": True}, muted_categories=("cart",))),
    ],
)
async def test_everything_that_preferences_can_withhold_can_be_withdrawn_ahead_of_the_log(
    open_store: Open, path: str, state: ShopperState
) -> None:
    store, said = await open_store(), ShopperState(consent={"sms": True})
    assert await store.apply(StateUpdate(0, 1, {S: ShopperUpdate(said)}))
    withdrawal = Withdrawal.of(S, path, 2)
    await store.withdraw([withdrawal])
    stored = await store.read(S)
    assert (stored.state, stored.folded) == (state, said)
    assert await store.apply(StateUpdate(1, 2, {S: ShopperUpdate(withheld={path: 2})})), "a row before the withdrawal"
    assert (await store.read(S)).state == state
    assert await store.apply(StateUpdate(2, 3, {S: ShopperUpdate(withheld={"other": 3})}))
    assert (await store.read(S)).state == state
    version = (await store.read(S)).version
    assert await store.apply(StateUpdate(3, 4, {S: ShopperUpdate(withheld={path: 4})}))
    assert (await store.read(S)).state == said
    assert (await store.read(S)).version > version


async def test_rows_are_applied_in_order_each_once_and_settle_what_was_pending(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    await reserve(one, reservation(0))
    await reserve(one, reservation(1, "e/1"))
    state = ShopperState().with_send(Send(event_id="e", send_at=NOW, message="m", channel="push", category="c"))
    shoppers = {S: ShopperUpdate(state, ["e"])}
    assert not await one.apply(StateUpdate(3, 5, shoppers))
    update = StateUpdate(0, 5, shoppers)
    assert sorted(await asyncio.gather(one.apply(update), two.apply(update))) == [False, True]
    assert await two.position() == 5
    assert [send.event_id for send in (await two.read(S)).state.sends] == ["e", "e/1"]
    await one.drop_pending(0)
    assert (await two.read(S)).state == state


async def test_rows_that_change_nothing_leave_the_version(open_store: Open) -> None:
    store = await open_store()
    assert await apply_one(store, 0)
    version = (await store.read(S)).version
    shoppers = {S: ShopperUpdate(decided=["e"]), ShopperKey("nobody"): ShopperUpdate(decided=["e-2"])}
    assert await store.apply(StateUpdate(1, 3, shoppers))
    assert ((await store.read(S)).version, (await store.read(S)).state.locale) == (version, "es")
    assert [key async for key in store.shoppers()] == [S]


async def test_the_states_at_a_position_are_those_that_were_applied_by_anybody(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    for store, other, position in ((one, two, 0), (one, two, 1), (two, one, 2), (one, two, 3)):
        (before,) = (await store.read_folded_at(position, [S])).values()
        after = ShopperState(max_per_week=(before.max_per_week or 0) + 1)
        await other.read(S)
        assert await store.apply(StateUpdate(position, position + 1, {S: ShopperUpdate(after)}))
        await store.read(S)
    assert (await one.read_folded_at(4, [S])) == (await two.read_folded([S])) == {S: ShopperState(max_per_week=4)}
    await begin(two, anew=True)
    assert await one.read_folded_at(0, [S]) == {S: ShopperState()}


async def test_a_budget_is_never_overdrawn_by_many_at_once(open_store: Open) -> None:
    one, two = await open_store(), await open_store()
    answers = await asyncio.gather(*(reserve((one, two)[n % 2], paid_reservation(n)) for n in range(50)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 3
    assert sum(isinstance(answer, NoLongerAllowed) for answer in answers) == 47
    assert (await one.read(S, [DAY])).spent == {DAY: 90_000}
    # A critical send has no budget: it costs, but is not refused.
    assert isinstance(await reserve(one, paid_reservation(100, budget=None)), Reserved)
    assert (await two.read(S, [DAY])).spent == {DAY: 120_000}


async def test_a_released_reservation_is_refunded_once(open_store: Open) -> None:
    store = await open_store()
    await reserve(store, paid_reservation(1))
    await store.release([paid_reservation(1)])
    await store.release([paid_reservation(1)])
    assert (await store.read(S, [DAY])).spent == {DAY: 0}


async def test_a_settled_reservation_costs_what_its_row_says_and_no_more(open_store: Open) -> None:
    store, reserved = await open_store(), paid_reservation(1)
    await reserve(store, reserved)
    change = ShopperUpdate(ShopperState().with_send(reserved.send), ["e-1"])
    assert await store.apply(StateUpdate(0, 1, {reserved.shopper: change}, {DAY: 30_000}))
    assert (await store.read(S, [DAY])).spent == {DAY: 30_000}
    await store.drop_pending(0)
    assert (await store.read(S, [DAY])).spent == {DAY: 30_000}
    assert await store.apply(StateUpdate(1, 2, {}, {DAY: -30_000}))
    assert (await store.read(S, [DAY])).spent == {DAY: 0}


async def test_days_long_over_are_forgotten(open_store: Open) -> None:
    store = await open_store()
    assert await store.apply(StateUpdate(0, 1, {}, {DAY: 5, ("sms", DAY[1] - 40): 7}))
    await store.drop_budget_days(DAY[1] - 31)
    assert (await store.read(S, [DAY, ("sms", DAY[1] - 40)])).spent == {DAY: 5, ("sms", DAY[1] - 40): 0}


async def test_uses_of_names_add_up_and_those_of_preferences_are_never_forgotten(open_store: Open) -> None:
    store = await open_store()
    uses = {("channels.sms", -1): 2, ("channels.sms", DAY[1]): 1, ("messages.hint", DAY[1] - 400): 3}
    assert await store.apply(StateUpdate(0, 1, {}, uses=uses))
    assert await store.apply(StateUpdate(1, 2, {}, uses={("channels.sms", -1): -1, ("channels.sms", DAY[1]): -1}))
    assert await store.uses() == {("channels.sms", -1): 1, ("messages.hint", DAY[1] - 400): 3}
    await store.drop_budget_days(DAY[1] - 366)
    assert await store.uses() == {("channels.sms", -1): 1}
    await begin(store, anew=True)
    assert await store.uses() == {}


async def test_a_decision_under_a_catalogue_that_was_replaced_reserves_nothing(open_store: Open) -> None:
    store = await open_store()
    assert await store.apply(StateUpdate(0, 1, {}, catalogue=2))
    assert isinstance(await reserve(store, reservation(0)), NoLongerAllowed)
    newer = Reservation(
        S, 0, "e/1", Send(event_id="e", send_at=NOW, message="m", channel="push", category="c"), catalogue=2
    )
    assert isinstance(await reserve(store, newer), Reserved)


async def test_what_is_read_says_up_to_where_it_contains_the_log(open_store: Open) -> None:
    store = await open_store()
    assert (await store.read(S)).position == 0
    assert await store.apply(StateUpdate(0, 7, {S: ShopperUpdate(ShopperState(locale="es"))}))
    stored = await store.read(S)
    assert (stored.position, stored.state.locale) == (7, "es")
    assert await store.apply(StateUpdate(7, 8, {S: ShopperUpdate(ShopperState())}))
    assert (await store.read(S)).state == ShopperState()
    assert [key async for key in store.shoppers()] == []


async def test_what_stays_pending_for_too_long_is_dropped(open_store: Open) -> None:
    store = await open_store()
    await reserve(store, reservation(0, "id with / in it"))
    await store.withdraw([Withdrawal.of(S, "consent.sms", 0)])
    await store.drop_pending(3_600)
    assert len((await store.read(S)).state.sends) == 1
    await store.drop_pending(0)
    stored = await store.read(S)
    assert (stored.state.sends, stored.state.consent) == ((), {})


async def test_the_states_of_two_logs_do_not_mix(open_store: Open) -> None:
    one, other = await open_store("log"), await open_store("other")
    await reserve(one, reservation(0))
    assert (await other.read(S)).state.sends == ()
    await begin(other)
    assert len((await one.read(S)).state.sends) == 1


async def test_an_untrusted_store_answers_nothing(open_store: Open) -> None:
    store = await open_store(trusted=False)
    for call in (store.read(S), reserve(store, reservation(0)), store.withdraw([Withdrawal.of(S, "consent.push", 0)])):
        with pytest.raises(StateUnavailable, match="not caught up"):
            await call


async def test_beginning_anew_forgets_once_whoever_else_begins(open_store: Open) -> None:
    """A replica that begins after another one has applied rows must not forget them."""
    one, two = await open_store(), await open_store()
    assert await apply_one(one, 0)
    await begin(one, anew=True)
    assert await one.position() == 0
    assert await apply_one(one, 0)
    await begin(two)
    assert (await two.position(), (await two.read_folded([S]))[S].locale) == (1, "es")


async def test_rows_that_reach_an_empty_store_before_it_begins_stay(open_store: Open) -> None:
    """After a restart a replica may apply rows first. Another batch may rest on them when the beginning comes."""
    store = await open_store(trusted=False)
    assert await apply_one(store, 0)
    assert await store.complete(await begin(store), 1)
    assert (await store.position(), (await store.read(S)).state.locale) == (1, "es")


async def test_states_of_another_version_of_the_fold_are_forgotten(open_store: Open) -> None:
    old = await open_store(fold_version=1)
    assert await apply_one(old, 0)
    new = await open_store(trusted=False, fold_version=2)
    assert await new.stored_fold_version() == 1
    assert not await new.is_current(1)
    for call in (new.read_folded([S]), apply_one(new, 1)):
        with pytest.raises(StateUnavailable, match="another version"):
            await call
    assert await new.complete(await begin(new), 2)
    assert (await new.position(), (await new.read(S)).state) == (0, ShopperState())
    assert await new.stored_fold_version() == 2
    assert await new.is_current(2)


async def test_replicas_that_begin_at_once_complete_one_beginning(open_store: Open) -> None:
    one, two = await open_store(trusted=False), await open_store(trusted=False)
    first, second = await asyncio.gather(begin(one), begin(two))
    assert first == second
    assert await one.complete(first, 1)
    assert isinstance(await reserve(one, reservation(0)), Reserved)
    assert not await two.complete(second, 1)
    assert await two.is_current(1)


async def test_who_looked_before_another_completed_must_look_again(open_store: Open) -> None:
    one, two = await open_store(trusted=False), await open_store(trusted=False)
    seen = await two.stored_incarnation()
    assert await one.complete(await begin(one), 1)
    assert isinstance(await reserve(one, reservation(0)), Reserved)
    assert await two.begin(seen) is None
    assert len((await one.read(S)).state.sends) == 1


async def test_what_was_spent_does_not_contain_reservations(open_store: Open) -> None:
    store = await open_store()
    assert await apply_one(store, 0)
    assert isinstance(await reserve(store, paid_reservation(1)), Reserved)
    assert await store.spending() == {DAY: 30_000}
