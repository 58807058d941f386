"""The calibration slope: whether predicted probabilities differ as much as the true ones do."""

from __future__ import annotations

import numpy as np

from simulators.arrays import FloatArray

_LEAST = 1e-9
_STEPS, _ENOUGH = 50, 1e-10
"""Newton's method ends after so many steps, or when a step is so small."""

_RIDGE = 1e-12 * np.eye(2)
"""Keeps a step finite where all probabilities are nearly 0 or 1."""


def calibration_slope(predicted: FloatArray, true: FloatArray) -> float | None:
    """Return the slope of the true probability on the predicted logit, by logistic regression.

    The true probabilities are the labels, fractions between 0 and 1: sigmoid(a + slope · logit(predicted)) has the
    greatest likelihood. Below 1 the predictions differ more than the truth does, above 1 less. Predictions are limited
    to 1e-9 and 1 - 1e-9. Returns None where the predictions do not differ, or the truth is always 0 or always 1.

    >>> predicted = np.array([0.1, 0.2, 0.4])
    >>> round(calibration_slope(predicted, predicted) or 0.0, 6)
    1.0
    >>> calibration_slope(np.array([0.1, 0.1]), np.array([0.1, 0.2])) is None
    True
    """
    limited = np.clip(predicted, _LEAST, 1.0 - _LEAST)
    logits = np.log(limited) - np.log1p(-limited)
    if not len(logits) or not 0.0 < true.sum() < len(true):
        return None
    centre, spread = float(logits.mean()), float(logits.std())
    if spread < 1e-9:
        return None
    x = (logits - centre) / spread
    return _fit(x, true) / spread


def _fit(x: FloatArray, labels: FloatArray) -> float:
    """Return the slope of a logistic regression on one column, by Newton's method; a step that is too far is halved."""
    share = float(labels.mean())
    line = np.array([np.log(share / (1.0 - share)), 0.0])  # constant and slope
    columns = np.stack([np.ones(len(x)), x])
    loss = _loss(columns, labels, line)
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(line @ columns, -500.0, 500.0)))
        step = np.linalg.solve((columns * (p * (1.0 - p))) @ columns.T + _RIDGE, columns @ (labels - p))
        while (after := _loss(columns, labels, line + step)) > loss and np.abs(step).max() > _ENOUGH:
            step = step / 2.0
        line, loss = line + step, after
        if np.abs(step).max() <= _ENOUGH:
            break
    return float(line[1])


def _loss(columns: FloatArray, labels: FloatArray, line: FloatArray) -> float:
    """Return minus the logarithm of the likelihood."""
    logits = line @ columns
    return float((np.logaddexp(0.0, logits) - labels * logits).sum())
