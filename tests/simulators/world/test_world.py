"""Laws of the world: the twin, copies, consent, outages, late reports, and refused parameters."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from simulators.random_streams import Seeds
from simulators.scenarios.channels import CHANNELS, ChannelTable
from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import SCENARIOS, Outage, Promo, Scenario, find_scenario
from simulators.senders.broadcast import push_daily
from simulators.senders.random_sender import RandomSender
from simulators.senders.sender import NoSends, Sender, run_sender
from simulators.world.deliveries import Sends
from simulators.world.tick import Tick
from simulators.world.world import CalendarEnded, World
from tests.simulators.world.counting import count_outcomes

SHORT = find_scenario("stationary").with_weeks(4)


def send_all(world: World, channel: int, *, delay_h: float = 0.0, message: int = 0) -> np.ndarray:
    reached = np.flatnonzero(world.consent[:, channel])
    count = len(reached)
    world.send(
        Sends(
            reached, reached, np.full(count, message), np.full(count, channel), np.full(count, delay_h), np.zeros(count)
        )
    )
    return reached


def run_and_count(world: World, ticks: int) -> Counter[str]:
    return count_outcomes(world.step() for _ in range(ticks))


def run_and_list_visits(world: World, sender: Sender) -> set[tuple[int, int]]:
    """Run to the end; return hour and shopper of the visits that no message caused."""
    visits: set[tuple[int, int]] = set()

    def on_tick(tick: Tick) -> None:
        for events in tick.events:
            if events.kind == "session":
                visits.update((tick.hour, shopper) for shopper in events.shoppers.tolist())

    run_sender(world, sender, on_tick=on_tick)
    return visits


def test_a_world_and_its_twin_have_the_same_visits_unless_a_message_changes_who_has_lapsed() -> None:
    nobody_changes = {"lapse_per_opt_out": 0.0, "win_back_per_visit": 0.0}
    fixed = replace(SHORT, parameters=PARAMETERS.with_values(nobody_changes))
    visits, twin = (run_and_list_visits(World(fixed, 300, 4), sender) for sender in (push_daily(), NoSends()))
    assert visits == twin
    changes = {"lapse_per_opt_out": 1.0, "win_back_per_visit": 1.0, "push.opt_out": 0.05, "lapsed_at_start": 0.5}
    moving = replace(SHORT, parameters=PARAMETERS.with_values(changes))
    visits, twin = (run_and_list_visits(World(moving, 300, 4), sender) for sender in (push_daily(), NoSends()))
    assert visits - twin
    assert twin - visits


def test_no_message_is_delivered_after_a_withdrawal_of_consent() -> None:
    world = World(SHORT, 500, 1)
    world.step()
    reached = send_all(world, 1, delay_h=48.0)  # e-mail, whose consent does not end with the app
    gone = reached[::2]
    world.state.withdraw_consent(gone, np.ones(len(gone), dtype=np.int64))
    delivered: list[int] = []
    for _ in range(80):
        delivered += [n for one in world.step().outcomes if one.kind == "delivered" for n in one.tickets.tolist()]
    assert sorted(delivered) == reached[1::2].tolist()


def test_an_outage_bounces_everything_on_its_channel_and_nothing_else() -> None:
    world = World(Scenario("out", weeks=2, outages=(Outage("push", 1, 1),)), 400, 1)
    counts = Counter[str]()
    for day in range(3):
        while world.hour < 24 * day + 10:
            world.step()
        push, email = len(send_all(world, 0)), len(send_all(world, 1))
        counts = run_and_count(world, 1)
        assert counts["bounce"] == (push if day == 1 else 0)
        assert counts["delivered"] == (email if day == 1 else push + email)


def test_slow_feedback_is_late_and_loses_nothing() -> None:
    slow, fast = (World(Scenario("slow", weeks=4, report_lag_h=lag, own_orders=False), 3_000, 1) for lag in (36.0, 0.0))
    clicks = []
    for world in (fast, slow):
        world.step()
        send_all(world, 0)
        clicks.append((run_and_count(world, 30)["click"], run_and_count(world, 500)["click"]))
    (fast_soon, fast_late), (slow_soon, slow_late) = clicks
    assert fast_soon + fast_late == slow_soon + slow_late > 50
    assert slow_soon < fast_soon


def test_new_shoppers_join_and_are_welcomed_once() -> None:
    world, welcomed = World(SCENARIOS["new_shoppers"], 1_000, 1), Counter[int]()
    joined = 0
    for _ in range(world.scenario.hours):
        tick = world.step()
        joined += len(tick.joined)
        welcomed.update(n for one in tick.triggers if one.kind == "welcome" for n in one.shoppers.tolist())
    assert joined == 1_000
    late = np.flatnonzero(world.population.joins > 0)
    assert sorted(welcomed) == late.tolist()
    assert set(welcomed.values()) == {1}
    assert len(late) == pytest.approx(1_000 * 0.24 / 1.24, abs=56), "4.5 standard deviations of a binomial count"


@pytest.mark.parametrize("sender", [push_daily(), RandomSender(7.0)], ids=["broadcast", "random"])
def test_nobody_is_written_to_before_she_joins(sender: Sender) -> None:
    world = World(SCENARIOS["new_shoppers"].with_weeks(4), 400, 1)
    shopper_of: list[int] = []

    def on_sends(hour: int, sends: Sends) -> None:
        shopper_of.extend(sends.shoppers.tolist())
        assert (world.population.joins[sends.shoppers] < hour).all()

    def on_tick(tick: Tick) -> None:
        early = world.population.joins > tick.hour
        assert not world.consent[early].any()
        for outcomes in tick.outcomes:
            assert not early[[shopper_of[ticket] for ticket in outcomes.tickets]].any()
        active = [events.shoppers for events in tick.events] + [triggers.shoppers for triggers in tick.triggers]
        assert not any(early[shoppers].any() for shoppers in active)

    run_sender(world, sender, on_tick=on_tick, on_sends=on_sends)
    late = np.flatnonzero(world.population.joins > 0)
    assert len(late) > 10
    assert world.consent[late].any(), "who has joined can be written to"
    fresh, one, zero = World(world.scenario, 400, 1), late[:1], np.zeros(1)
    with pytest.raises(ValueError, match=r"^shoppers must have joined"):
        fresh.send(Sends(one, one, one * 0, one * 0, zero, zero))


def test_shop_and_shoppers_have_seeds_of_their_own() -> None:
    scenario = SCENARIOS["seasonal_promo"]
    world = World(scenario, 5, Seeds(shop=3, shoppers=8))
    other_shop, other_shoppers = World(scenario, 5, Seeds(4, 8)), World(scenario, 5, Seeds(3, 9))
    assert (world.state.popularity == other_shoppers.state.popularity).all()
    assert (world.state.popularity != other_shop.state.popularity).all()
    assert (world.state.appeal.direction == other_shoppers.state.appeal.direction).all()
    assert (world.population.taste == other_shop.population.taste).all()
    assert (world.population.taste != other_shoppers.population.taste).all()
    same = World(scenario, 5, 3)
    assert (same.state.popularity == world.state.popularity).all()
    with pytest.raises(ValueError, match=r"^seed must have a number for each of 5 shoppers"):
        World(scenario, 5, Seeds(3, (8, 9)))


def test_copies_of_a_shopper_live_one_life() -> None:
    """So a search can try many prices on the same shoppers in one world."""
    world = World(find_scenario("seasonal_promo"), 60, Seeds(1, tuple(range(20)) * 3))
    run_sender(world, RandomSender(5.0), 400)
    first, *others = world.margins.realised.reshape(3, 20)
    assert first.any()
    assert all(other.tobytes() == first.tobytes() for other in others)
    first_consent, *others_consent = world.consent.reshape(3, 20, -1)
    assert all((other == first_consent).all() for other in others_consent)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda world: pickle.loads(pickle.dumps(world))])
def test_a_copy_of_a_world_goes_on_as_the_original(duplicate: Callable[[World], World]) -> None:
    world = World(find_scenario("new_shoppers"), 200, 4)
    run_sender(world, push_daily(), 100)
    traces = [list_happenings(one) for one in (world, duplicate(world))]
    assert traces[0] == traces[1]
    assert {kind for _, kind, _ in traces[0]} >= {"win_back", "replenishment", "review_request", "click"}


def list_happenings(world: World) -> list[tuple[int, str, list[int]]]:
    """Run four weeks; return hour, type, and the shoppers or tickets of all triggers, events and outcomes."""
    happenings: list[tuple[int, str, list[int]]] = []

    def on_tick(tick: Tick) -> None:
        happenings.extend((tick.hour, triggers.kind, triggers.shoppers.tolist()) for triggers in tick.triggers)
        happenings.extend((tick.hour, events.kind, events.shoppers.tolist()) for events in tick.events)
        happenings.extend((tick.hour, outcomes.kind, outcomes.tickets.tolist()) for outcomes in tick.outcomes)

    run_sender(world, push_daily(), 4 * 168, on_tick)
    return happenings


def test_the_taste_flips_and_promotions_help_offers() -> None:
    drift = World(SCENARIOS["drift"], 200, 1)
    one, messages, channels = np.arange(200), np.zeros(200, dtype=np.int64), np.zeros(200, dtype=np.int64)
    before, after = (drift.state.appeal_logits(hour, one, messages, channels) for hour in (6 * 168 - 1, 6 * 168))
    middle = (before + after) / 2
    assert np.abs(before - after).max() > 0.5
    assert middle == pytest.approx(
        drift.messages.channels.intercept[0]
        + drift.population.click_logit
        + drift.population.channel_taste[:, 0]
        + drift.state.appeal.level[0],
        abs=1e-5,
    )
    promo = World(Scenario("promo", weeks=2, promos=(Promo(3, 2),)), 200, 1)
    offer = messages + promo.messages.categories.index("offer")
    calm, lively = (promo.state.appeal_logits(24 * day, one, offer, channels) for day in (0, 3))
    assert lively - calm == pytest.approx(0.8)
    assert (promo.state.order_factor(24 * 3), promo.state.order_factor(24 * 5)) == (1.6, 1.0)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: World(SHORT, 0, 1), "shoppers must be at least 1"),
        (lambda: World(SHORT, 1, -1), "seed must be at least 0"),
        (lambda: ChannelTable.of(("fax",)), r"channels\.fax: this world knows only"),
        (lambda: replace(CHANNELS["push"], consent=1.2), "consent must lie between"),
        (lambda: replace(CHANNELS["push"], per_hour=-1.0), "per_hour must be"),
        (lambda: replace(CHANNELS["push"], intercept=float("nan")), "intercept must be"),
    ],
)
def test_an_impossible_world_is_refused_by_the_name_of_the_parameter(
    make: Callable[[], object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()


def test_the_calendar_ends_and_wrong_numbers_are_refused() -> None:
    world = World(SHORT.with_weeks(1), 5, 1)
    for _ in range(168):
        world.step()
    with pytest.raises(CalendarEnded, match="ends after 1 weeks"):
        world.step()
    zero, one = np.zeros(1, dtype=np.int64), np.zeros(1)
    for name, sends in (
        ("shoppers", Sends(zero, zero + 5, zero, zero, one, one)),
        ("messages", Sends(zero, zero, zero + 8, zero, one, one)),
        ("channels", Sends(zero, zero, zero, zero - 1, one, one)),
        ("delays_h", Sends(zero, zero, zero, zero, one - 1.0, one)),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be"):
            world.send(sends)
