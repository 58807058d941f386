"""A study: its values by shopper are those of the world and its twin."""

from __future__ import annotations

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.contender import sender_contender
from simulators.experiments.incremental_value import IncrementalValue, run_twin
from simulators.experiments.study import Study
from simulators.scenarios.scenario import find_scenario
from simulators.senders.broadcast import push_daily
from simulators.senders.sender import NoSends, run_sender


def test_the_values_by_shopper_add_up_to_those_of_the_world(example_rulebook: Rulebook) -> None:
    study = Study(find_scenario("stationary").with_weeks(2), 100, (4,), example_rulebook)
    (result,) = study.compare([sender_contender("daily", push_daily)], lambda name, hours: None)
    world = study.world(4)
    run_sender(world, push_daily())
    value = IncrementalValue.of(world, run_twin(study.scenario, 100, 4, world.messages))
    np.testing.assert_allclose(result.weekly, value.weekly, atol=1e-12)
    np.testing.assert_allclose(result.values(), value.expected, atol=1e-12)
    (nothing,) = study.compare([sender_contender("no send", NoSends)], lambda name, hours: None)
    assert not nothing.by_shopper.any()
