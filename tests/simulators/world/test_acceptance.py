"""The world against published numbers: the acceptance tests of the research note (T1, T5, T6, T9, T10).

Seeds are fixed. Each statistical test states its false-alarm rate.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import SCENARIOS, Scenario, find_scenario
from simulators.senders.broadcast import Broadcast, three_a_week
from simulators.senders.random_sender import RandomSender
from simulators.senders.sender import NoSends, run_sender
from simulators.shoppers.presence import WEEKDAY_HOURS, WEEKEND_HOURS
from simulators.world.deliveries import Sends
from simulators.world.messages import STANDARD
from simulators.world.tick import Tick
from simulators.world.world import World
from tests.chi_square import frequencies_equal

TWO_WEEKS = 336
EMAIL, BROWSE_HINT = 1, 2

CONTROL_VISITS = 0.106
"""Share of Hillstrom's customers who visited within two weeks without an e-mail."""


def hillstrom() -> Scenario:
    """Return a scenario whose visits without an e-mail are fitted to Hillstrom's control group."""
    shape = PARAMETERS.visits_shape
    per_two_weeks = ((1 - CONTROL_VISITS) ** (-1 / shape) - 1) * shape
    customers = PARAMETERS.with_values({"lapsed_at_start": 0.0})  # all had bought in the last year
    return Scenario("hillstrom", weeks=3, visits_per_week=per_two_weeks / 2, parameters=customers)


def one_email(world: World, reached: np.ndarray) -> None:
    count = len(reached)
    zero = np.zeros(count)
    channel, message = np.full(count, EMAIL), np.full(count, BROWSE_HINT)
    world.send(Sends(reached, reached, message, channel, zero, zero))


def arm(*, mailed: bool) -> tuple[float, float, float]:
    """Return visits, buyers and spending per shopper in two weeks."""
    world = World(hillstrom(), 200_000, 1)
    world.step()
    reached = np.flatnonzero(world.consent[:, EMAIL])
    if mailed:
        one_email(world, reached)
    visited, before = np.zeros(200_000, dtype=bool), world.margins.realised.copy()
    for _ in range(TWO_WEEKS):
        tick = world.step()
        for visitors in tick.visitors:
            visited[visitors] = True
    margin = world.margins.realised - before
    bought = margin > 0.5  # an order's margin is above any cost of one e-mail
    return float(visited[reached].mean()), float(bought[reached].mean()), float(margin[reached].mean() / 0.3)


def test_t1_one_email_moves_visits_and_orders_as_hillstrom_measured() -> None:
    """150,000 shoppers in both arms on the same random numbers.

    The bootstrap's standard errors are .007, .05 and .026, and the three values (1.52, 1.81, .44) lie more than
    five of them inside the bands: false-alarm rate below 1e-6.
    """
    control, mailed = arm(mailed=False), arm(mailed=True)
    assert control[0] == pytest.approx(CONTROL_VISITS, abs=0.004)
    assert 1.4 <= mailed[0] / control[0] <= 1.75
    assert 1.5 <= mailed[1] / control[1] <= 2.2
    assert 0.3 <= mailed[2] - control[2] <= 0.8


def test_t5_the_hour_curve_is_the_published_one_and_clicks_do_not_depend_on_it() -> None:
    """Some 85,000 visits, by the hours in which the shoppers live; 23,000 e-mails seen.

    False-alarm rate of the chi-square tests 1e-5 each.
    """
    world = World(find_scenario("stationary").with_weeks(9), 10_000, 2)
    visits = np.zeros(168)

    def on_tick(tick: Tick) -> None:
        for events in tick.events:
            if events.kind == "session":
                hours = (events.at - world.population.shift_h[events.shoppers]).astype(int) % 168
                visits[:] += np.bincount(hours, minlength=168)

    run_sender(world, NoSends(), on_tick=on_tick)
    by_day = visits.reshape(7, 24)
    for published, visits_by_day in ((WEEKDAY_HOURS, by_day[:5]), (WEEKEND_HOURS, by_day[5:])):
        assert np.corrcoef(published, visits_by_day.sum(axis=0))[0, 1] >= 0.995
    assert visits.sum() > 80_000
    seen, clicked = count_by_block()
    total = sum(seen.values())
    assert total > 20_000
    rate = sum(clicked.values()) / total
    for block, count in seen.items():
        cells = {"clicked": clicked[block], "not": count - clicked[block]}
        assert frequencies_equal(cells, {"clicked": rate, "not": 1 - rate}), block


def count_by_block() -> tuple[Counter[str], Counter[str]]:
    """Return the e-mails seen and clicked, by blocks of six hours; each shopper gets one e-mail."""
    shoppers = 80_000
    world = World(Scenario("one", weeks=2), shoppers, 3)
    world.step()
    everybody = np.flatnonzero(world.consent[:, EMAIL])
    count = len(everybody)
    world.send(
        Sends(
            tickets=everybody,
            shoppers=everybody,
            messages=np.full(count, BROWSE_HINT),
            channels=np.full(count, EMAIL),
            delays_h=(everybody % 24).astype(float),
            warmth=np.zeros(count),
        )
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _ in range(24 * 8):
        for outcomes in world.step().outcomes:
            blocks = (outcomes.at % 24).astype(int) // 6
            counts[outcomes.kind] += Counter(f"block {block}" for block in blocks.tolist())
    return counts["open"], counts["click"]


@cache
def clicks_in_week_12(channel: str, per_week: int) -> float:
    world, clicks = World(find_scenario("stationary"), 6_000, 1), 0
    initial = world.consent[:, world.messages.channels.names.index(channel)].sum()

    def on_tick(tick: Tick) -> None:
        nonlocal clicks
        if tick.hour >= 11 * 168:
            clicks += sum(len(outcomes.tickets) for outcomes in tick.outcomes if outcomes.kind == "click")

    run_sender(world, Broadcast(per_week, (channel,)), on_tick=on_tick)
    return float(clicks / initial)


@pytest.mark.xdist_group("sweep")  # the tests of T6 share the cache of the sweep
@pytest.mark.parametrize("channel", ["push", "email", "sms"])
def test_t6_the_frequency_sweep_has_an_interior_optimum(channel: str) -> None:
    """Clicks in week 12 per initial shopper: fewer at 1 and at 7 a week than at the best rate between.

    At 6,000 shoppers the best rate lies 2.3 to 6.2 standard errors above either end (seeds 1 and 2): another
    seed would fail in at most 1 of 100 for each channel.
    """
    sweep = {per_week: clicks_in_week_12(channel, per_week) for per_week in range(1, 8)}
    best = max(sweep, key=lambda per_week: sweep[per_week])
    assert 1 < best < 7, sweep


@pytest.mark.xdist_group("sweep")
def test_t6_the_sms_optimum_is_no_later_than_the_push_optimum() -> None:
    best = {
        channel: max(range(1, 8), key=lambda per_week: clicks_in_week_12(channel, per_week))
        for channel in ("push", "sms")
    }
    assert best["sms"] <= best["push"]


FREE = replace(STANDARD, costs=np.zeros_like(STANDARD.costs))


def test_the_value_of_email_has_an_interior_optimum() -> None:
    """Expected margin of free e-mails in 12 weeks: more at 5 a week than at 0 and at 7.

    Paired over 1,000 shoppers and seeds 1 to 3; the difference to 7 lies some five standard errors above 0.
    """
    margins: dict[int, list[np.ndarray]] = defaultdict(list)
    for seed in (1, 2, 3):
        for per_week in (0, 5, 7):
            world = World(find_scenario("stationary"), 1_000, seed, FREE)
            run_sender(world, Broadcast(per_week, ("email",), 10) if per_week else NoSends())
            margins[per_week].append(world.margins.expected)
    best = np.concatenate(margins[5])
    for other in (0, 7):
        difference = best - np.concatenate(margins[other])
        assert difference.mean() - 1.96 * difference.std(ddof=1) / len(difference) ** 0.5 > 0.0, other


def test_t9_attributed_value_exceeds_incremental_value() -> None:
    """Margin of orders that followed a notification, against the margin that the notifications added.

    The difference per shopper is the orders that notifications displaced. Over seeds 1 to 4 its mean lies 3.5 to
    4.8 standard errors above zero at 40,000 shoppers: false-alarm rate below 5e-4.
    """
    world, twin = (World(find_scenario("stationary"), 40_000, 1, FREE) for _ in range(2))
    run_sender(world, three_a_week())
    run_sender(twin, NoSends())
    displaced = world.margins.attributed - (world.margins.realised - twin.margins.realised)
    assert displaced.mean() > 0.0
    assert world.margins.attributed_orders > world.margins.orders - twin.margins.orders > 0


def trace(name: str, seed: int) -> str:
    digest = hashlib.sha256()

    def on_tick(tick: Tick) -> None:
        columns = [
            *(column for outcomes in tick.outcomes for column in (outcomes.tickets, outcomes.at)),
            *(column for events in tick.events for column in (events.shoppers, events.at)),
            *(triggers.shoppers for triggers in tick.triggers),
        ]
        for column in columns:
            digest.update(column.tobytes())

    run_sender(World(SCENARIOS[name], 300, seed), RandomSender(), ticks=500, on_tick=on_tick)
    return digest.hexdigest()


@pytest.mark.parametrize("name", SCENARIOS)
def test_t10_the_same_seed_gives_the_same_trace_to_the_byte(name: str) -> None:
    assert trace(name, 7) == trace(name, 7)


def test_t10_another_seed_gives_another_trace() -> None:
    assert trace("stationary", 7) != trace("stationary", 8)
