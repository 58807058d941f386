"""The table of a simulation: a terminal of 80 characters shows every digit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from decision_service.cli.simulation.statistics import STATISTICS
from decision_service.cli.simulation.table import print_results
from policies.catalogue.rulebook import Rulebook
from simulators.experiments.contender import sender_contender
from simulators.experiments.study import Study
from simulators.scenarios.scenario import find_scenario
from simulators.senders.broadcast import push_daily


@pytest.mark.parametrize("name", ["daily", "the policy of our shop"])
def test_no_number_is_cut(
    name: str, example_rulebook: Rulebook, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    study = Study(find_scenario("stationary").with_weeks(12), 5, (1,), example_rulebook)
    (result,) = study.compare([sender_contender(name, push_daily)], lambda name, hours: None)
    result = replace(result, realised=-12.345)
    print_results([result])
    shown = capsys.readouterr().out.split()
    numbers = [f"{statistic.of(result):.3f}" for statistic in STATISTICS]
    assert [word for word in shown if word in numbers] == numbers
