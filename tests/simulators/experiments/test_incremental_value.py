"""The incremental value: zero without sends, and expected values without bias."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.experiments.incremental_value import IncrementalValue, run_twin
from simulators.scenarios.scenario import find_scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import run_sender
from simulators.world.world import World

SHORT = find_scenario("stationary").with_weeks(4)


def test_a_world_without_sends_has_no_incremental_value() -> None:
    without = run_twin(SHORT, 300, 4, World(SHORT, 300, 4).messages)
    same = IncrementalValue.of(run_twin(SHORT, 300, 4, without.messages), without)
    assert same.expected.mean() == 0.0
    assert not same.realised.any()
    world = World(SHORT, 300, 4)
    run_sender(world, Broadcast(7, ("sms",)))
    value = IncrementalValue.of(world, without)
    assert value.weekly.sum() == pytest.approx(value.expected.mean())
    with pytest.raises(ValueError, match="twin must be at the same hour"):
        IncrementalValue.of(World(SHORT, 300, 4), without)
    for shoppers, seed in ((300, 5), (200, 4)):
        with pytest.raises(ValueError, match="twin must have the same shoppers"):
            IncrementalValue.of(run_twin(SHORT, shoppers, seed, without.messages), without)


def test_the_expected_value_is_the_mean_of_the_realised_one() -> None:
    """20 seeds of 600 shoppers: |t| < 4.5 with 19 degrees of freedom, false-alarm rate 3e-4."""
    gaps = []
    for seed in range(20):
        world = World(SHORT, 600, seed)
        run_sender(world, Broadcast(3, ("push", "email")))
        gaps.append(float((world.margins.realised - world.margins.expected).mean()))
    assert abs(np.mean(gaps)) < 4.5 * np.std(gaps, ddof=1) / 20**0.5
