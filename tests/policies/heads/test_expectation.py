"""The mean of a probability whose logit is uncertain, against the integral."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.heads.expectation import mean_sigmoid

POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


@given(st.floats(-9, 9), st.floats(0, 1))
def test_the_mean_is_that_of_the_integral(logit: float, variance: float) -> None:
    exact = (WEIGHTS / np.sqrt(2 * np.pi)) @ (1 / (1 + np.exp(-logit - np.sqrt(variance) * POINTS)))
    mean = mean_sigmoid(np.array([logit]), np.array([variance]))
    assert abs(mean[0] / exact - 1) < 0.012


def test_the_logits_stay_as_they_are() -> None:
    logits = np.array([1.0, -2.0])
    mean_sigmoid(logits, np.array([0.5, 0.0]))
    assert logits.tolist() == [1.0, -2.0]
