"""Comparisons of a study: the same shoppers in the same worlds, week by week."""

from __future__ import annotations

import numpy as np
import pytest

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.contender import sender_contender
from simulators.experiments.study import Study
from simulators.experiments.study_comparison import StudyComparison
from simulators.scenarios.scenario import find_scenario
from simulators.senders.broadcast import push_daily, three_a_week


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
