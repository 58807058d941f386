"""The calibration slope: whether predicted probabilities differ as much as the true ones do."""

from __future__ import annotations

import numpy as np

from simulators.arrays import FloatArray

_STEPS, _ENOUGH = 50, 1e-10
"""Newton's method ends after so many steps, or when a step is so small."""


def calibration_slope(predicted: FloatArray, true: FloatArray) -> float | None:
    """Return the slope of the true probability on the predicted logit, by logistic regression.

    The true probabilities are the labels, fractions between 0 and 1: sigmoid(a + slope · logit(predicted)) has the
    greatest likelihood. Below 1 the predictions differ more than the truth does, above 1 less. Returns None where the
    predictions do not differ, or where one of the labels' sums is 0.

    >>> predicted = np.array([0.1, 0.2, 0.4])
    >>> round(calibration_slope(predicted, predicted) or 0.0, 6)
    1.0
    >>> calibration_slope(np.array([0.1, 0.1]), np.array([0.1, 0.2])) is None
    True
    """
    logits = np.log(predicted) - np.log1p(-predicted)
    if not len(logits) or not 0.0 < true.sum() < len(true):
        return None
    centre, spread = float(logits.mean()), float(logits.std())
    if spread < 1e-9:
        return None
    x = (logits - centre) / spread
    return _fit(x, true) / spread


def _fit(x: FloatArray, labels: FloatArray) -> float:
    """Return the slope of a logistic regression on one column with mean 0, by Newton's method."""
    share = float(labels.mean())
    constant, slope = float(np.log(share / (1.0 - share))), 0.0
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-(constant + slope * x)))
        weights, errors = p * (1.0 - p), labels - p
        total, first, second = weights.sum(), (weights * x).sum(), (weights * x * x).sum()
        gradient, slope_gradient = errors.sum(), (errors * x).sum()
        determinant = total * second - first * first
        step = (second * gradient - first * slope_gradient) / determinant
        slope_step = (total * slope_gradient - first * gradient) / determinant
        constant, slope = constant + step, slope + slope_step
        if abs(step) + abs(slope_step) < _ENOUGH:
            break
    return float(slope)
