"""The rules of reports: impossible ones are refused by the name of their field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulators.scenarios.report_rules import TRUE_REPORTS, ReportRules
from simulators.scenarios.scenario import SCENARIOS
from simulators.scenarios.scenario_document import scenario_of_document


def make_rules(**fields: Any) -> ReportRules:
    return ReportRules(**fields)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: make_rules(attribution="first_touch"), "attribution must be one of cause, last_touch"),
        (lambda: make_rules(touch="visit"), "touch must be one of delivery, open, click"),
        (lambda: ReportRules(window_h=-1.0), "window_h must lie between 0 and inf"),
        (lambda: ReportRules(zone_error_h=25.0), "zone_error_h must lie between -24 and 24"),
        (lambda: ReportRules(missing=0.6, late=0.5), "missing and late must not sum to more than 1"),
        (lambda: ReportRules(repeated=float("nan")), "repeated must lie between 0 and 1"),
    ],
)
def test_an_impossible_rule_is_refused_by_the_name_of_its_field(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()


def test_every_named_scenario_tells_the_shop_the_truth() -> None:
    assert {scenario.reports for scenario in SCENARIOS.values()} == {TRUE_REPORTS}


def test_a_document_can_change_the_reports() -> None:
    mine = scenario_of_document({"reports": {"attribution": "last_touch", "window_h": 24.0}}, "mine")
    assert mine.reports == ReportRules(attribution="last_touch", window_h=24.0)
