"""The mean weight: its distance from 1 without the effect of skewness, in the whole log as in a group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from offline_eval import SNIPW, LoggedBatch, Question, evaluate
from offline_eval.diagnostics.mean_weight import without_skewness
from offline_eval.diagnostics.verdict import DOUBTFUL_Z


def rows_of(weight: np.ndarray, shoppers: np.ndarray | None = None) -> LoggedBatch:
    """Rows of these weights, none above 1,000."""
    return LoggedBatch.of(
        reward=np.arange(len(weight)) % 2,
        propensity=np.full(len(weight), 1e-3),
        target_propensity=np.minimum(weight * 1e-3, 1.0),
        shoppers=shoppers,
        labels={"segment": np.zeros(len(weight), dtype=int)},
    )


def z_of(rows: LoggedBatch) -> float:
    return evaluate(rows, Question([SNIPW()])).diagnostics.mean_weight_z


def test_the_distance_is_that_of_hall() -> None:
    weight = np.random.default_rng(1).lognormal(0, 1, 500)
    plain = (weight.mean() - 1) / (weight.std(ddof=1) / np.sqrt(500))
    skewness = stats.skew(weight) / np.sqrt(500)
    expected = ((1 + skewness * plain / 3) ** 3 - 1) / skewness + skewness / 6
    assert z_of(rows_of(weight)) == pytest.approx(expected, rel=5e-3)  # with 500 and 499 degrees of freedom
    assert z_of(rows_of(weight, np.arange(500))) == pytest.approx(expected, rel=5e-3)


@given(st.floats(-50, 50), st.floats(0, 50), st.floats(-2, 2).filter(lambda skewness: abs(skewness) > 1e-3))
def test_a_mean_that_is_farther_away_never_seems_nearer(z: float, farther: float, skewness: float) -> None:
    near, far = without_skewness(z, skewness), without_skewness(z + farther, skewness)
    assert near <= far + 1e-6 * (1 + abs(far))


def test_rows_of_a_shopper_are_one_weight() -> None:
    weight = np.random.default_rng(2).lognormal(0, 1, 500)
    twice = rows_of(np.repeat(weight, 2), np.repeat(np.arange(500), 2))
    assert z_of(twice) == pytest.approx(z_of(rows_of(weight, np.arange(500))), rel=1e-9)


@pytest.mark.parametrize("clustered", [False, True])
def test_the_whole_log_and_a_group_of_all_rows_are_judged_alike(clustered: bool) -> None:
    weight = np.random.default_rng(3).lognormal(0, 1, 900)
    rows = rows_of(weight, np.arange(900) // 3 if clustered else None)
    report = evaluate(rows, Question([SNIPW()], by=("segment",)))
    assert report.groups["segment"][0].mean_weight_z == pytest.approx(report.diagnostics.mean_weight_z)


def test_right_propensities_of_heavy_weights_are_rarely_doubted() -> None:
    """Lognormal weights of mean 1. Without the correction one log in forty is doubted."""
    doubted, plain = 0, 0
    for seed in range(400):
        weight = np.random.default_rng([4, seed]).lognormal(-0.5 * 1.5**2, 1.5, 1_000)
        report = evaluate(rows_of(weight), Question([SNIPW()]))
        doubted += abs(report.diagnostics.mean_weight_z) > DOUBTFUL_Z
        plain += abs(weight.mean() - 1) > DOUBTFUL_Z * report.diagnostics.mean_weight_error
    assert doubted < plain
    assert doubted <= 3
