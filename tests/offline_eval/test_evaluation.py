"""The evaluation: values, and what has no value."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from offline_eval import (
    DM,
    ESTIMATORS,
    IPW,
    SNIPW,
    LoggedBatch,
    NotAvailable,
    Question,
    evaluate,
    make_estimators,
)
from offline_eval.diagnostics.verdict import Level
from offline_eval.reports.html import render_page
from tests.offline_eval.reporting import codes
from tests.reference.worlds import RewardWorld


def test_values_are_given_whatever_the_verdict(world: RewardWorld) -> None:
    report = evaluate(world.log(20, np.random.default_rng(16)), Question(estimators=[DM(), IPW()]))
    assert report.verdict.level is Level.do_not_use
    assert all(np.isfinite(estimate.value) for estimate in report.estimates)


def test_a_question_that_names_no_estimator_asks_for_what_the_rows_allow() -> None:
    rows = weightless(target_propensity=np.full(200, 0.5))
    assert [estimate.name for estimate in evaluate(rows).estimates] == ["ipw", "snipw", "dr", "sndr"]
    predicted = weightless(target_propensity=np.full(200, 0.5), q_chosen=np.zeros(200), v_target=np.zeros(200))
    assert [estimate.name for estimate in evaluate(predicted).estimates] == list(ESTIMATORS)
    with pytest.raises(NotAvailable, match="dr-os needs a reward model"):
        evaluate(rows, Question(make_estimators(["ipw", "dr-os"])))


def weightless(**changes: object) -> LoggedBatch:
    columns: dict[str, object] = {
        "reward": np.arange(200) % 2,
        "propensity": np.full(200, 0.5),
        "target_propensity": np.zeros(200),
        "shoppers": np.arange(200) // 2,
    }
    return LoggedBatch.of(**columns | changes)


@pytest.mark.parametrize("interval", ["normal", "bootstrap", "bootstrap-obp"])
def test_a_target_that_was_never_followed_has_no_self_normalised_value(interval: str) -> None:
    report = evaluate(
        weightless(labels={"day": np.arange(200) % 3}), Question(interval=interval, by=("day",), draws=20)
    )
    values = {estimate.name: estimate for estimate in report.estimates}
    for name in ("snipw", "sndr"):
        assert np.isnan([values[name].value, values[name].low, values[name].high]).all()
    assert values["ipw"].value == 0.0
    assert codes(report)["no_value"] is Level.do_not_use
    assert "no value came out for snipw, sndr" in " ".join(finding.text for finding in report.verdict.findings)
    json.dumps(report.document(), allow_nan=False)
    assert "<svg" in render_page("none", report, {})


def test_resamples_without_weight_do_not_count() -> None:
    """One shopper of 100 has weight: of 60 resamples some hold none of its rows."""
    rows = weightless(target_propensity=(np.arange(200) < 2) * 0.5)
    (snipw,) = evaluate(rows, Question([SNIPW()], "bootstrap", draws=60)).estimates
    assert (snipw.low, snipw.value, snipw.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"reward": np.full(200, 1e308), "target_propensity": np.ones(200)},
        {"propensity": np.full(200, 1e-200), "target_propensity": np.ones(200)},
    ],
    ids=["rewards", "weights"],
)
def test_numbers_too_large_to_add_up_are_not_to_be_used(changes: dict[str, object]) -> None:
    rows = weightless(**changes)
    report = evaluate(replace(rows, against=rows.as_logging()), Question())
    assert report.verdict.level is Level.do_not_use
    json.dumps(report.document(), allow_nan=False)
    assert "<svg" in render_page("huge", report, {})
