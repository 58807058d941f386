"""The step in closed form: near the exact posterior, additive in what is observed, and forgotten step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.arrays import FloatArray
from policies.heads.weights import Change, GaussianWeights

BIAS = -2.5


def some_weights(sds: list[float], heads: int = 1) -> GaussianWeights:
    weights = GaussianWeights([BIAS] * heads)
    for sd in sds:
        weights.add(np.zeros(heads), np.full(heads, sd * sd))
    return weights


def observe(
    weights: GaussianWeights, values: list[float], now: tuple[float, float], before: tuple[float, float]
) -> float:
    """Replace an observation (positives, trials) of the only head by another one."""
    change = Change(np.array([now[0] - before[0]]), np.array([now[1] - before[1]]), np.array([max(now[1], before[1])]))
    return float(weights.step(np.arange(len(values)), np.array(values), change)[0])


def exact_posterior(sds: list[float], sends: FloatArray, outcomes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return means and standard deviations of two weights by summing over a fine grid."""
    axis = [np.linspace(-6 * sd, 6 * sd, 151) for sd in sds]
    first, second = np.meshgrid(*axis, indexing="ij")
    log = -(first**2 / sds[0] ** 2 + second**2 / sds[1] ** 2) / 2
    for (x, y), outcome in zip(sends, outcomes, strict=True):
        logit = BIAS + x * first + y * second
        log -= np.logaddexp(0.0, -logit if outcome else logit)
    density = np.exp(log - log.max())
    density /= density.sum()
    means = np.array([(density * grid).sum() for grid in (first, second)])
    squares = np.array([(density * grid**2).sum() for grid in (first, second)])
    return means, np.sqrt(squares - means**2)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_one_observation_moves_the_means_as_the_exact_posterior_says(outcome: float) -> None:
    sds, send = [0.6, 0.3], [1.0, -0.5]
    weights = some_weights(sds)
    expected = observe(weights, send, (outcome, 1.0), (0.0, 0.0))
    means, deviations = exact_posterior(sds, np.array([send]), np.array([outcome]))
    assert weights.means[:, 0] == pytest.approx(means, rel=0.06)
    assert np.sqrt(weights.variances[:, 0]) == pytest.approx(deviations, rel=0.03)
    normals = np.random.default_rng(1).normal(size=(200_000, 2)) * sds
    assert expected == pytest.approx((1 / (1 + np.exp(-BIAS - normals @ send))).mean(), rel=0.01)


def test_many_observations_end_near_the_exact_posterior() -> None:
    """300 sends, each with one of the two weights or both.

    The weights are taken as independent, which the posterior's are not: so the deviations come out somewhat too small.
    """
    sds, rng = [0.5, 0.5], np.random.default_rng(7)
    sends = rng.choice([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], size=300)
    outcomes = (rng.random(300) < 1 / (1 + np.exp(-BIAS - sends @ [0.8, -0.4]))).astype(np.float64)
    weights = some_weights(sds)
    for send, outcome in zip(sends.tolist(), outcomes.tolist(), strict=True):
        observe(weights, send, (outcome, 1.0), (0.0, 0.0))
    means, deviations = exact_posterior(sds, sends, outcomes)
    assert np.abs(weights.means[:, 0] - means).max() < 0.6 * deviations.min()
    assert np.sqrt(weights.variances[:, 0]) == pytest.approx(deviations, rel=0.2)


xs = st.lists(st.floats(-2, 2), min_size=1, max_size=6)
observations = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda pair: (pair[0] * pair[1], pair[1]))


@settings(max_examples=50)
@given(xs, st.lists(observations, min_size=1, max_size=4), observations)
def test_a_chain_of_corrections_ends_near_its_last_observation(
    values: list[float], chain: list[tuple[float, float]], last: tuple[float, float]
) -> None:
    """The error is of second order: below a tenth of the largest step that an observation can make here."""
    sds = [0.25] * len(values)
    direct, stepwise, largest = some_weights(sds), some_weights(sds), some_weights(sds)
    observe(direct, values, last, (0.0, 0.0))
    observe(largest, values, (1.0, 1.0), (0.0, 0.0))
    before = (0.0, 0.0)
    for observation in [*chain, last]:
        observe(stepwise, values, observation, before)
        before = observation
    bound = 0.1 * np.abs(largest.means).max() + 1e-12
    assert np.abs(stepwise.means - direct.means).max() <= bound
    assert np.abs(stepwise.information - direct.information).max() <= 0.3 * largest.information.max() + 1e-12


@given(xs, st.integers(0, 1))
def test_a_correction_of_the_outcome_leaves_the_information(values: list[float], outcome: int) -> None:
    weights = some_weights([0.5] * len(values))
    observe(weights, values, (outcome, 1.0), (0.0, 0.0))
    information = weights.information.copy()
    observe(weights, values, (1 - outcome, 1.0), (outcome, 1.0))
    assert weights.information.tobytes() == information.tobytes()


@given(xs)
def test_half_an_observation_teaches_about_half(values: list[float]) -> None:
    once, half = some_weights([0.3] * len(values)), some_weights([0.3] * len(values))
    observe(once, values, (1.0, 1.0), (0.0, 0.0))
    observe(half, values, (0.5, 0.5), (0.0, 0.0))
    assert half.means == pytest.approx(once.means / 2, rel=0.1)
    assert half.information == pytest.approx(once.information / 2)


def test_a_head_without_an_observation_learns_nothing() -> None:
    weights = some_weights([0.5, 0.5], heads=2)
    zero = np.zeros(2)
    weights.step(np.array([0, 1]), np.array([1.0, 2.0]), Change(np.array([1.0, 0.0]), np.array([1.0, 0.0]), zero))
    assert (weights.means[:, 0] > 0).all()
    assert not weights.means[:, 1].any()
    assert not weights.information[:, 1].any()


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1), st.integers(1, 30))
def test_forgetting_goes_back_to_the_prior(first: float, second: float, prior_mean: float, steps: int) -> None:
    def learn_and_forget(*shares_kept: float) -> GaussianWeights:
        weights = GaussianWeights([BIAS])
        weights.add(np.array([prior_mean]), np.array([0.25]))
        for _ in range(steps):
            observe(weights, [1.0], (1.0, 1.0), (0.0, 0.0))
        for share in shares_kept:
            weights.forget(share)
        return weights

    learned, twice, once = learn_and_forget(), learn_and_forget(first, second), learn_and_forget(first * second)
    assert twice.means == pytest.approx(once.means)
    assert twice.information == pytest.approx(once.information)
    assert learn_and_forget(1.0).means == pytest.approx(learned.means)
    assert learn_and_forget(0.0).means == pytest.approx(np.array([[prior_mean]]))
    precision = 4.0 + once.information  # what the observations say about the mean is in proportion to the share
    said = (once.means - prior_mean) * precision
    assert said == pytest.approx(first * second * (learned.means - prior_mean) * (4.0 + learned.information), abs=1e-9)
