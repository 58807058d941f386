"""Laws of the world: streams, presence, the twin, consent, outages, late reports, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.experiments.incremental_value import IncrementalValue, regret, run_twin
from simulators.parameters import ChannelTable, ChannelTraits
from simulators.random_streams import Purpose, RandomStreams, to_normals
from simulators.scenario import SCENARIOS, Outage, Promo, Scenario, find_scenario
from simulators.shoppers.presence import Presence
from simulators.shops.broadcast import Broadcast, NoSends, RandomSender, push_daily, run_sender
from simulators.world.deliveries import Sends
from simulators.world.expected_reward import ExpectedReward
from simulators.world.schedule import Schedule
from simulators.world.tick import Tick
from simulators.world.truth import Truth
from simulators.world.world import CalendarEnded, World
from tests.chi_square import frequencies_equal

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


def counted(world: World, ticks: int) -> Counter[str]:
    return count([world.step() for _ in range(ticks)])


def count(ticks: Iterable[Tick]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for tick in ticks:
        for outcomes in tick.outcomes:
            counts[outcomes.kind] += len(outcomes.tickets)
    return counts


def test_random_numbers_are_uniform_and_independent_of_what_else_is_drawn() -> None:
    """100,000 numbers each in 20 cells; false-alarm rate 1e-5 per test."""
    streams, positions = RandomStreams(3), np.arange(100_000)
    one, other = streams.uniforms(5, [Purpose.click, Purpose.opt_out], positions)
    for numbers in (one, other, (one + other) % 1.0, streams.uniforms(6, [Purpose.click], positions)[0]):
        cells = Counter(map(str, (numbers * 20).astype(int).tolist()))
        assert frequencies_equal(cells, {str(cell): 1 / 20 for cell in range(20)})
    assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / 100_000**0.5
    assert (streams.uniforms(5, [Purpose.click], positions[7:9])[0] == one[7:9]).all()
    assert abs(to_normals(one, other).std() - 1.0) < 0.02


@given(st.floats(-100, 2_000), st.floats(0.0, 300.0))
def test_presence_reached_is_the_inverse_of_presence_passed(start: float, more: float) -> None:
    presence = Presence(2_016, first_hour=30, boosts=[(100, 200, 1.5)])
    passed = presence.integral_at(np.array([start])) + more
    reached = presence.hours_at(passed)
    assert reached[0] >= start - 1e-6
    if np.isfinite(reached[0]) and reached[0] < 2_300:
        assert presence.integral_at(reached) == pytest.approx(passed, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 9)), max_size=60), st.lists(st.floats(0, 60), max_size=8))
def test_the_agenda_gives_every_row_once_when_it_is_due(rows: list[tuple[float, int]], times: list[float]) -> None:
    agenda, waiting = Schedule({"number": np.int64}), []
    for part, until in enumerate([*sorted(times), 61.0]):
        fresh = rows[part::9]
        agenda.add(np.array([due for due, _ in fresh]), number=np.array([n for _, n in fresh], dtype=np.int64))
        waiting += fresh
        due, given_back = agenda.pop(until)
        expected = [(d, n) for d, n in waiting if d < until]
        waiting = [(d, n) for d, n in waiting if d >= until]
        assert sorted(zip(due.tolist(), given_back["number"].tolist(), strict=True)) == sorted(expected)
        assert len(agenda) == len(waiting)


def test_the_twin_meets_the_same_visits_whatever_is_sent() -> None:
    visits: dict[str, list[tuple[int, ...]]] = {"world": [], "twin": []}
    for name, sender in (("world", push_daily()), ("twin", NoSends())):

        def on_tick(tick: Tick, into: list[tuple[int, ...]] = visits[name]) -> None:
            into += [tuple(each.shoppers.tolist()) for each in tick.events if each.kind == "session"]

        run_sender(World(SHORT, 300, 4), sender, on_tick=on_tick)
    assert visits["world"] == visits["twin"]


def test_nothing_sent_is_worth_exactly_nothing_and_sending_costs_what_it_costs() -> None:
    other = run_twin(SHORT, 300, 4, World(SHORT, 300, 4).messages)
    same = IncrementalValue.of(run_twin(SHORT, 300, 4, other.messages), other)
    assert same.per_shopper() == 0.0
    assert not same.realised.any()
    world = World(SHORT, 300, 4)
    run_sender(world, Broadcast(7, ("sms",)))
    value = IncrementalValue.of(world, other)
    assert value.weekly.sum() == pytest.approx(value.per_shopper())
    assert regret(value, value) == 0.0
    with pytest.raises(ValueError, match="twin must be at the same hour"):
        IncrementalValue.of(World(SHORT, 300, 4), other)


def test_the_expected_value_is_the_mean_of_the_realised_one() -> None:
    """20 seeds of 600 shoppers: |t| < 4.5 with 19 degrees of freedom, false-alarm rate 3e-4."""
    gaps = []
    for seed in range(20):
        world = World(SHORT, 600, seed)
        run_sender(world, Broadcast(3, ("push", "email")))
        gaps.append(float((world.margins.realised - world.margins.expected).mean()))
    assert abs(np.mean(gaps)) < 4.5 * np.std(gaps, ddof=1) / 20**0.5


def test_who_withdrew_before_the_send_time_is_not_reached() -> None:
    world = World(SHORT, 500, 1)
    world.step()
    reached = send_all(world, 0, delay_h=48.0)
    gone = reached[::2]
    world.state.withdraw_consent(gone, np.zeros(len(gone), dtype=np.int64))
    delivered: list[int] = []
    for _ in range(80):
        delivered += [n for each in world.step().outcomes if each.kind == "delivered" for n in each.tickets.tolist()]
    assert sorted(delivered) == reached[1::2].tolist()


def test_an_outage_bounces_everything_on_its_channel_and_nothing_else() -> None:
    world = World(Scenario("out", weeks=2, outages=(Outage("push", 1, 1),)), 400, 1)
    counts = Counter[str]()
    for day in range(3):
        while world.hour < 24 * day + 10:
            world.step()
        push, email = len(send_all(world, 0)), len(send_all(world, 1))
        counts = counted(world, 1)
        assert counts["bounce"] == (push if day == 1 else 0)
        assert counts["delivered"] == (email if day == 1 else push + email)


def test_slow_feedback_is_late_and_loses_nothing() -> None:
    slow, fast = (World(Scenario("slow", weeks=4, report_lag_h=lag, own_orders=False), 3_000, 1) for lag in (36.0, 0.0))
    told = []
    for world in (fast, slow):
        world.step()
        send_all(world, 0)
        told.append((counted(world, 30)["click"], counted(world, 500)["click"]))
    (fast_soon, fast_late), (slow_soon, slow_late) = told
    assert fast_soon + fast_late == slow_soon + slow_late > 50
    assert slow_soon < fast_soon


def test_new_shoppers_join_and_are_welcomed_once() -> None:
    world, welcomed = World(SCENARIOS["new_shoppers"], 1_000, 1), Counter[int]()
    joined = 0
    for _ in range(world.scenario.hours):
        tick = world.step()
        joined += len(tick.joined)
        welcomed.update(n for each in tick.triggers if each.kind == "welcome" for n in each.shoppers.tolist())
    assert joined == 1_000
    late = np.flatnonzero(world.population.joins > 0)
    assert sorted(welcomed) == late.tolist()
    assert set(welcomed.values()) == {1}
    assert len(late) == pytest.approx(1_000 * 0.24 / 1.24, abs=1)


def test_the_taste_flips_and_promotions_help_offers() -> None:
    drift = World(SCENARIOS["drift"], 200, 1)
    one, messages, channels = np.arange(200), np.zeros(200, dtype=np.int64), np.zeros(200, dtype=np.int64)
    before, after = (drift.state.appeal_logits(tick, one, messages, channels) for tick in (6 * 168 - 1, 6 * 168))
    middle = (before + after) / 2
    assert np.abs(before - after).max() > 0.5
    assert middle == pytest.approx(
        drift.messages.channels.intercept[0]
        + drift.population.clicker
        + drift.population.channel_taste[:, 0]
        + drift.state.appeal.level[0],
        abs=1e-5,
    )
    promo = World(Scenario("promo", weeks=2, promos=(Promo(3, 2),)), 200, 1)
    offer = messages + promo.messages.categories.index("offer")
    calm, lively = (promo.state.appeal_logits(24 * day, one, offer, channels) for day in (0, 3))
    assert lively - calm == pytest.approx(0.8)
    assert (promo.state.order_factor(24 * 3), promo.state.order_factor(24 * 5)) == (1.6, 1.0)


def test_the_truth_is_what_happens(example_rulebook) -> None:  # type: ignore[no-untyped-def]
    """3,000 shoppers get one random joint action each: |z| < 4.5 for each of four means, false-alarm rate 3e-5.

    A reward is that of the probabilities at the moment of seeing, which leave out the noise of rare, dear orders.
    """
    from simulators.world.messages import Messages

    shoppers, space, random = 3_000, example_rulebook.space, np.random.default_rng(1)
    world = World(Scenario("still", weeks=4, own_orders=False), shoppers, 1, Messages.of(example_rulebook))
    for _ in range(30):
        world.step()
    world.state.consent[:] = True
    truth = Truth(world, example_rulebook)
    actions = random.integers(len(space), size=shoppers)
    rows = []
    for shopper, action in enumerate(actions.tolist()):
        own = truth.prospects(shopper, {int(space.message_of[action]): 0.6})
        rows.append((own.click[action], own.order[action], own.out[action], own.reward[action]))
        assert own.order[action] <= own.seen[action] <= 1.0
    everybody = np.arange(shoppers)
    delays = np.asarray(space.delays_s)[space.delay_of[actions]] / 3_600.0
    warmth = np.full(shoppers, 0.6)
    world.send(Sends(everybody, everybody, space.message_of[actions], space.channel_of[actions], delays, warmth))
    ticks = [world.step() for _ in range(400)]
    counts = count(ticks)
    counts["opt_out"] += counts["complaint"]
    *probabilities, expected = np.array(rows).T
    for name, chances in zip(("click", "conversion", "opt_out"), probabilities, strict=True):
        assert abs(counts[name] - chances.sum()) < 4.5 * (chances * (1 - chances)).sum() ** 0.5, name
    worth = ExpectedReward.of(example_rulebook)
    rewards = worth.unseen[actions]
    for tickets, chances in (seen for tick in ticks for seen in tick.chances):
        rewards[tickets] = (chances.joint() * worth.seen[actions[tickets]]).sum(axis=(1, 2, 3))
    errors = rewards - expected
    assert abs(errors.mean()) < 4.5 * errors.std() / shoppers**0.5


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: find_scenario("sunny"), "scenario must be one of stationary"),
        (lambda: Scenario("x", weeks=0), "weeks must lie between 1 and 104"),
        (lambda: Scenario("x", weeks=105), "weeks must lie between 1 and 104"),
        (lambda: Scenario("x", visits_per_week=-1.0), "visits_per_week must be"),
        (lambda: Scenario("x", new_shoppers_per_week=float("nan")), "new_shoppers_per_week must be"),
        (lambda: Scenario("x", report_lag_h=-1.0), "report_lag_h must be"),
        (lambda: Scenario("x", tolerance=0.0), "tolerance must be"),
        (lambda: Scenario("x", irritability=float("inf")), "irritability must be"),
        (lambda: Scenario("x", taste_flip_week=13), "taste_flip_week must lie"),
        (lambda: Scenario("x", start=5), "start must be a midnight"),
        (lambda: Scenario("x", weeks=1, promos=(Promo(5, 4),)), r"promos\.0 must end within"),
        (lambda: Promo(-1, 1), "first_day must be"),
        (lambda: Outage("fax", 0, 1), "channel must be one of"),
        (lambda: SCENARIOS["drift"].with_weeks(3), "taste_flip_week must lie"),
        (lambda: World(SHORT, 0, 1), "shoppers must be at least 1"),
        (lambda: World(SHORT, 1, -1), "seed must be at least 0"),
        (lambda: ChannelTable.of(("fax",)), r"channels\.fax: this world knows only"),
        (lambda: ChannelTraits(1.2, 0.5, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0), "consent must lie between"),
        (lambda: ChannelTraits(0.2, 0.5, -1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0), "per_hour must be"),
        (lambda: Broadcast(8, ("push",)), "per_week must lie"),
        (lambda: RandomSender(0.0), "per_week must lie"),
    ],
)
def test_impossible_worlds_are_refused_by_the_fields_name(make, complaint: str) -> None:  # type: ignore[no-untyped-def]
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
