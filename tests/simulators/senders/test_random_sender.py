"""A random sender: its rate."""

from __future__ import annotations

import pytest

from simulators.scenarios.scenario import find_scenario
from simulators.senders.random_sender import RandomSender
from simulators.world.world import World


def test_a_sender_of_a_very_low_rate_sends_nothing() -> None:
    assert RandomSender(1e-9).choose(World(find_scenario("stationary"), 200, 1)) is None


@pytest.mark.parametrize("per_week", [0.0, -1.0, 168.1])
def test_an_impossible_rate_is_refused(per_week: float) -> None:
    with pytest.raises(ValueError, match="per_week must lie"):
        RandomSender(per_week)
