"""Totals: what the sums of terms say about values and their variance."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from offline_eval import IPW, SNDR, SNIPW, Estimator, LoggedBatch, Question, Totals, evaluate

CONSTANT = 0.7
PROBABILITIES = st.floats(0.01, 1, allow_subnormal=False)


@pytest.mark.parametrize("estimator", [SNIPW(), SNDR()], ids=repr)
@given(
    arrays.arrays(np.float64, 7, elements=PROBABILITIES),
    arrays.arrays(np.float64, 7, elements=PROBABILITIES),
    st.sampled_from([-1.0, CONSTANT, 1.0, 1e3]),
)
def test_a_reward_that_never_varies_has_a_variance_of_zero_or_rounding_above(
    estimator: Estimator, propensity: np.ndarray, target: np.ndarray, reward: float
) -> None:
    """The terms cancel each other, so that rounding alone decides the sign of their quadratic form."""
    batch = LoggedBatch.of(reward=np.full(7, reward), propensity=propensity, target_propensity=target)
    totals = Totals([estimator])
    totals.add(batch)
    sample = totals.sample()
    variance = sample.variance(estimator.gradient(sample.means))
    assert 0.0 <= variance <= 1e-9 * reward**2
    (estimate,) = evaluate(batch, Question([estimator])).estimates
    assert estimate.low <= estimate.value <= estimate.high


def test_a_variance_that_is_not_a_number_stays_so() -> None:
    batch = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.0, 0.0])
    totals = Totals([SNIPW(), IPW()])
    totals.add(batch)
    sample = totals.sample()
    assert isnan(sample.variance(SNIPW().gradient(sample.means)))
    assert sample.variance(IPW().gradient(sample.means)) == 0.0
