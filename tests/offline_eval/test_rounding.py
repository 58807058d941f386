"""Degenerate logs: one row, constant rewards, narrow types, and huge or tiny weights give a report, never an error."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isinf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from offline_eval import IPW, SNDR, SNIPW, Estimator, Limits, LoggedBatch, Question, Totals, evaluate, make_estimators
from offline_eval.diagnostics.skewness import Skewness
from offline_eval.diagnostics.weights import Weights
from offline_eval.intervals import NAMES
from offline_eval.intervals.sequence import ConfidenceSequence
from offline_eval.reports.html import render_page
from offline_eval.rounding import root, standard_errors
from offline_eval.sequential.fitted_q import check_fit
from tests.offline_eval.diagnostics.test_history import sends, watch
from tests.reference.worlds import Fatigue

KINDS = (np.float16, np.float32, np.float64)
ROUNDED = (0.1, 1 / 3, 0.7, 1.0)
"""Numbers that most types round, and one that none rounds."""
SMALL = (1e-3, 1e-110, 1e-150, 1e-300)


@st.composite
def columns(draw: st.DrawFn, rows: int, numbers: tuple[float, ...]) -> np.ndarray:
    """A column of at most two different numbers, in a type of any width."""
    few = draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=2))
    places = draw(arrays.arrays(np.int64, rows, elements=st.integers(0, len(few) - 1)))
    column: np.ndarray = np.array(few, dtype=draw(st.sampled_from(KINDS)))[places]
    return column


@st.composite
def degenerate_logs(draw: st.DrawFn) -> LoggedBatch:
    rows = draw(st.integers(1, 12))
    propensity, target = draw(columns(rows, (0.25, *ROUNDED))), draw(columns(rows, (0.0, *ROUNDED)))
    batch = LoggedBatch.of(
        reward=draw(columns(rows, (0.0, *ROUNDED))),
        propensity=propensity.astype(np.float64) * draw(st.sampled_from((1.0, *SMALL))),
        target_propensity=target.astype(np.float64) * draw(st.sampled_from((1.0, *SMALL))),
        q_chosen=draw(columns(rows, ROUNDED)),
        v_target=draw(columns(rows, ROUNDED)),
        shoppers=draw(st.none() | arrays.arrays(np.int64, rows, elements=st.integers(0, 2))),
        labels={"segment": np.arange(rows) % 2},
    )
    batch = batch.as_logging() if draw(st.booleans()) else batch
    return replace(batch, against=batch.as_logging()) if draw(st.booleans()) else batch


def estimators_for(interval: str) -> list[Estimator]:
    match interval:
        case "clopper-pearson":
            return [IPW()]
        case "sequence":
            return [estimator for estimator in make_estimators() if estimator.has_sequence]
        case "bernstein":
            return [estimator for estimator in make_estimators() if estimator.name not in ("snipw", "sndr")]
    return make_estimators()


@pytest.mark.parametrize("interval", [name for name in NAMES if name != "clopper-pearson"])
@settings(max_examples=30)
@given(rows=degenerate_logs())
def test_a_degenerate_log_gives_a_report(interval: str, rows: LoggedBatch) -> None:
    """A warning fails the test as well."""
    if interval == "bernstein" and len(rows if rows.shoppers is None else np.unique(rows.shoppers)) < 2:
        return
    limits = Limits(0.0, 1.0, 1.001 * max(1.0, float(rows.weight.max())))
    question = Question(estimators_for(interval), interval, limits=limits, by=("segment",), draws=10)
    report = evaluate(rows, question)
    json.dumps(report.document(), allow_nan=False)
    assert render_page("degenerate", report, {})
    if interval in ("normal", "bernstein"):
        for result in (*report.estimates, *report.differences):
            slack = 1e-9 * max(1.0, abs(result.value))
            assert isnan(result.low) or result.low - slack <= result.value <= result.high + slack


@pytest.mark.parametrize("estimator", [SNIPW(), SNDR()], ids=repr)
@settings(max_examples=40)
@given(rows=degenerate_logs(), reward=st.sampled_from(ROUNDED))
def test_the_error_of_a_constant_reward_is_rounding(estimator: Estimator, rows: LoggedBatch, reward: float) -> None:
    constant = np.full(len(rows), reward)
    rows = replace(rows, reward=constant, q_chosen=constant, v_target=constant, against=None)
    totals = Totals([estimator])
    with np.errstate(over="ignore", invalid="ignore"):
        totals.add(rows)
        sample = totals.sample()
        assert not sample.error(estimator.gradient(sample.means)) > 1e-6


@given(st.floats(-1e-12, 1e300))
def test_a_root_is_never_an_error(figure: float) -> None:
    assert root(figure) ** 2 == pytest.approx(max(figure, 0.0))
    assert isnan(root(float("nan")))


def test_a_distance_without_an_error_is_infinite_unless_the_distance_is_rounding() -> None:
    assert isinf(standard_errors(1e-3, 0.0))
    assert standard_errors(1e-3, 1e-9, size=1e7) == 0.0
    assert standard_errors(-1e-3, 1e-3, size=1e3) == -1.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=3, max_size=30), st.sampled_from(ROUNDED))
def test_a_constant_reward_has_no_history(shown: list[tuple[int, int]], reward: float) -> None:
    log = [send for shopper, recent in shown for send in sends(shopper, np.array([recent]), np.array([reward]))]
    assert watch(log).findings(is_logging=False) == []


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 99), st.sampled_from(ROUNDED))
def test_a_fit_of_a_constant_reward_has_no_residual(shoppers: int, seed: int, reward: float) -> None:
    log = Fatigue().log(shoppers, np.random.default_rng(seed))
    assert check_fit(replace(log, reward=np.full(len(log), reward))).residual_z == 0.0


@pytest.mark.parametrize("unit", [1e-150, 1e-110, 1e-60, 1.0, 1e60])
def test_tiny_weights_and_rewards_have_a_skewness(unit: float) -> None:
    for weight, reward in ((unit, 1.0), (1.0, unit)):
        skewness = Skewness()
        skewness.add(np.full(3, weight), np.array([0.0, 1.0, 1.0]) * reward)
        assert np.isfinite(skewness.value())


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e100])
def test_a_tail_that_fits_an_exponential_distribution_exactly_has_an_index(unit: float) -> None:
    """The largest of eight excesses is 9/5 of their lower quartile, so θ is 0 at a point of the grid."""
    excesses = np.array([4.0, 5.0, 5.25, 5.5, 6.0, 7.0, 8.0, 9.0])
    weights = Weights()
    weights.add(unit * np.concatenate([np.ones(40), 1 + excesses]), np.ones(48))
    assert np.isfinite(weights.summary().tail_index)


@pytest.mark.parametrize("weight", [1e3, 1e8, 1e16, 1e150, 1e300])
def test_a_confidence_sequence_of_few_huge_weights_excludes_nothing(weight: float) -> None:
    """One hit in twenty rows tells little, however large its weight is: the lower bound stays near 0."""
    sequence = ConfidenceSequence(Limits(0.0, 1.0))
    propensity = np.array([1 / weight, *[1.0] * 19])
    with np.errstate(over="ignore"):
        sequence.update(LoggedBatch.of(reward=np.ones(20), propensity=propensity, target_propensity=np.full(20, 0.5)))
    assert sequence.bounds(0.05).low < 0.5
