"""The standing: intervals over seeds and worlds, against an independent computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from simulators.experiments.mean_estimate import MeanEstimate
from simulators.regret.finished_run import FinishedRun
from simulators.regret.standing import Score, Standing, average, estimate_ratio

WORLDS = 7


def random_scores(random: np.random.Generator, value: float) -> list[Score]:
    rows = random.normal([value, value, 500.0, 2.0, 2.0, 0.8, 0.98], [0.2, 0.5, 40.0, 0.2, 1.0, 0.1, 0.01], (WORLDS, 7))
    return [Score(*row) for row in rows.tolist()]


@pytest.fixture
def standing() -> Standing:
    random = np.random.default_rng(5)
    return Standing(*(random_scores(random, value) for value in (1.5, 1.0, 2.0)))


def column(scores: list[Score] | tuple[Score, ...], name: str) -> list[float]:
    return [getattr(score, name) for score in scores]


def test_the_gain_is_a_mean_over_worlds_by_student(standing: Standing) -> None:
    pairs = zip(standing.scores, standing.rule, standing.planner, strict=True)
    gains = [(one.value - rule.value) / planner.value for one, rule, planner in pairs]
    np.testing.assert_allclose(standing.gains, gains, rtol=1e-12)


def test_a_world_in_which_the_planner_earns_nothing_has_no_share(standing: Standing) -> None:
    poor = [Score(0.0, 0.0, 1.0, 0.0, 0.0, 0.1, 1.0), *standing.planner[1:]]
    assert len(Standing(standing.scores, standing.rule, poor).shares) == WORLDS - 1
    np.testing.assert_allclose(Standing(standing.scores, standing.rule, poor).gains, standing.gains[1:])


def linearise(above: list[list[float]], below: list[list[float]]) -> MeanEstimate:
    """Return a ratio of sums with its interval by numeric derivatives of the ratio with respect to each sum."""
    columns = np.array([*above, *below])

    def ratio(means: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        return float(np.prod(means[: len(above)]) / np.prod(means[len(above) :]))

    means, step = columns.mean(axis=1), 1e-6
    slopes = [
        (ratio(means + step * unit * means) - ratio(means - step * unit * means)) / (2 * step * mean)
        for unit, mean in zip(np.eye(len(means)), means, strict=True)
    ]
    variance = float(np.array(slopes) @ np.cov(columns) @ np.array(slopes)) / columns.shape[1]
    reach = stats.t.ppf(0.975, columns.shape[1] - 1) * variance**0.5
    return MeanEstimate(ratio(means), ratio(means) - reach, ratio(means) + reach)


def check(estimate: MeanEstimate | None, expected: MeanEstimate) -> None:
    assert estimate is not None
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (expected.value, expected.low, expected.high), rel=1e-6
    )


def test_ratios_of_sums_have_the_interval_of_their_linearisation(standing: Standing) -> None:
    values, of_rule, of_planner = (
        column(list(scores), "value") for scores in (standing.scores, standing.rule, standing.planner)
    )
    check(standing.share_of_planner, linearise([values], [of_planner]))
    check(standing.ratio_to_rule, linearise([values], [of_rule]))
    withdrawals, sends = column(list(standing.scores), "withdrawals"), column(list(standing.scores), "sends")
    rule_withdrawals, rule_sends = column(list(standing.rule), "withdrawals"), column(list(standing.rule), "sends")
    check(standing.optouts_ratio_to_rule, linearise([withdrawals, rule_sends], [sends, rule_withdrawals]))
    per_send = linearise([withdrawals], [sends])
    check(standing.optouts_per_1k_sends, MeanEstimate(*(1_000 * part for part in vars(per_send).values())))
    reach = stats.t.interval(
        0.95,
        WORLDS - 1,
        np.mean(column(list(standing.scores), "reach")),
        stats.sem(column(list(standing.scores), "reach")),
    )
    assert (standing.reach_left.low, standing.reach_left.high) == pytest.approx(reach)


def test_a_ratio_with_itself_is_certain_and_one_to_nothing_is_none(standing: Standing) -> None:
    assert Standing(standing.rule, standing.rule, standing.planner).ratio_to_rule == MeanEstimate(1.0, 1.0, 1.0)
    assert estimate_ratio([np.array([1.0])], [np.array([0.0])]) is None
    one = estimate_ratio([np.array([1.0])], [np.array([2.0])])
    assert one == MeanEstimate(0.5, -math.inf, math.inf)


def test_a_score_is_of_the_last_third_or_of_all_weeks() -> None:
    run = FinishedRun(
        shoppers=10,
        cpu_s=1.0,
        values=[1.0, 2.0, 3.0],
        realised=[0.0, 0.0, 9.0],
        sends=[10, 20, 30],
        withdrawals=[0.1, 0.2, 0.3],
        withdrawals_realised=[0, 1, 2],
        reach=0.9,
    )
    without = FinishedRun(
        shoppers=10,
        cpu_s=1.0,
        values=[0.5] * 3,
        realised=[1.0] * 3,
        sends=[0] * 3,
        withdrawals=[0.0] * 3,
        withdrawals_realised=[0] * 3,
        reach=1.0,
    )
    assert Score.of_last_third(run, without) == Score(2.5, 8.0, 30, 0.3, 2, 3.0, 0.9)
    whole = Score.of(run, without)
    assert (whole.value, whole.realised, whole.sends, whole.withdrawals_realised, whole.sends_per_week) == (
        4.5,
        6.0,
        60,
        3,
        2.0,
    )
    assert average([Score.of_last_third(run, without), Score.of_last_third(without, without)]).sends == 15.0
