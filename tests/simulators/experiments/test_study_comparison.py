"""Comparisons of a study: the same shoppers in the same worlds, week by week."""

from __future__ import annotations

import numpy as np
import pytest

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.incremental_value import IncrementalValue, run_twin
from simulators.experiments.study import Study, sender_contender
from simulators.experiments.study_comparison import StudyComparison
from simulators.scenario import find_scenario
from simulators.senders.broadcast import push_daily, three_a_week
from simulators.senders.sender import NoSends, run_sender


def test_a_study_compares_the_same_shoppers_week_by_week(example_rulebook: Rulebook) -> None:
    study = Study(find_scenario("new_shoppers").with_weeks(3), 120, (1, 2), example_rulebook)
    contenders = [sender_contender("daily", push_daily), sender_contender("some", three_a_week)]
    results = study.compare(contenders, lambda name, hours: None)
    daily, some = ([result for result in results if result.contender == name] for name in ("daily", "some"))
    comparison = StudyComparison.of(daily, some)
    means = [np.mean([result.value for result in of_contender]) for of_contender in (daily, some)]
    assert comparison.whole_run.value == pytest.approx(means[0] - means[1])
    assert sum(week.value for week in comparison.by_week) == pytest.approx(comparison.whole_run.value)
    assert comparison.in_last_third == comparison.by_week[-1]
    assert StudyComparison.of(daily, daily).whole_run.high == 0.0
    with pytest.raises(ValueError, match="the same seeds"):
        StudyComparison.of(daily, some[:1])


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
