"""Visits: shoppers lapse without any send, and a message can win them back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import Scenario, find_scenario
from simulators.world.world import World
from tests.simulators.world.sending import send_to

EMAIL = 1


def test_shoppers_lapse_after_visits_without_any_send_and_then_visit_no_more() -> None:
    """Each of some 25,000 visits ends with a lapse with a probability of .01: z < 4.5."""
    world, visits = World(find_scenario("stationary"), 2_000, 1), 0
    lapsed = world.state.mental_state.lapsed
    at_start, uninstalled = lapsed.copy(), Counter[int]()
    assert at_start.mean() == pytest.approx(PARAMETERS.lapsed_at_start, abs=0.04)
    for _ in range(world.scenario.hours):
        before = lapsed.copy()
        tick = world.step()
        for visitors in tick.visitors:
            assert not before[visitors].any()
            visits += len(visitors)
        uninstalled.update(tick.uninstalled.tolist())
    lapses = (lapsed & ~at_start).sum()
    expected = PARAMETERS.lapse_per_visit * visits
    assert abs(lapses - expected) < 4.5 * expected**0.5
    assert set(uninstalled.values()) == {1}
    assert lapsed[[*uninstalled]].all()
    assert not world.consent[[*uninstalled]][:, world.messages.channels.of_app].any()
    assert 0 < len(uninstalled) < lapses * 0.5


def test_win_back_finds_somebody_in_every_week_after_the_start() -> None:
    world, weeks = World(find_scenario("stationary"), 2_000, 1), Counter[int]()
    for _ in range(world.scenario.hours):
        tick = world.step()
        weeks.update(
            tick.hour // 168 for triggers in tick.triggers if triggers.kind == "win_back" for _ in triggers.shoppers
        )
    assert min(weeks[week] for week in range(12)) >= 5


def test_a_visit_because_of_a_message_wins_a_lapsed_shopper_back_with_its_probability() -> None:
    """z < 4.5."""
    values = {"lapsed_at_start": 1.0, "lapse_per_visit": 0.0, "email.returning": 0.9, "lapse_per_opt_out": 0.0}
    world = World(Scenario("one", weeks=3, parameters=PARAMETERS.with_values(values)), 4_000, 1)
    world.step()
    world.state.consent[:] = True
    send_to(world, np.arange(4_000), EMAIL)
    visitors: set[int] = set()
    first = np.zeros(4_000, dtype=bool)
    for _ in range(24 * 14):
        lapsed = world.state.mental_state.lapsed.copy()
        for shoppers in world.step().visitors:
            visitors.update(shoppers[lapsed[shoppers]].tolist())
        first |= lapsed & ~world.state.mental_state.lapsed
    expected = PARAMETERS.win_back_per_visit * len(visitors)
    assert len(visitors) > 300
    assert abs(first.sum() - expected) < 4.5 * expected**0.5
