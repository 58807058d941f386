"""Live consents: the expected losses have the mean of the real losses."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.scenarios.scenario import find_scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import NoSends, Sender, run_sender
from simulators.world.consents import live_consents
from simulators.world.world import World

IRRITABLE = find_scenario("fatigue").with_weeks(6)


@pytest.mark.parametrize("sender", [NoSends(), Broadcast(7, ("push", "email")), Broadcast(7, ("email",))])
def test_the_expected_losses_are_the_mean_of_the_real_ones(sender: Sender) -> None:
    """12 seeds of 800 shoppers: |t| < 5 with 11 degrees of freedom, false-alarm rate 4e-4."""
    gaps = []
    for seed in range(12):
        world = World(IRRITABLE, 800, seed)
        before = live_consents(world.population.consent, world.population.lapsed).sum(axis=0)
        run_sender(world, sender)
        lost = before - live_consents(world.consent, world.state.mental_state.lapsed).sum(axis=0)
        gaps.append(lost - world.consent_losses.expected.sum(axis=0))
    error = np.std(gaps, axis=0, ddof=1) / len(gaps) ** 0.5
    assert (np.abs(np.mean(gaps, axis=0)) < 5.0 * error).all()
