"""The mean weight: how far it lies from 1, where it must lie if the logged propensities are right."""

from __future__ import annotations

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.rounding import root, standard_errors
from offline_eval.totals import Sample


def powers_of(weight: FloatArray) -> FloatArray:
    """Return the number of weights, Σw, Σw² and Σw³, which merge by addition.

    >>> powers_of(np.array([1.0, 2.0])).tolist()
    [2.0, 3.0, 5.0, 9.0]
    """
    squares = weight * weight
    return np.array([len(weight), weight.sum(), squares.sum(), squares @ weight])


def mean_weight_z(powers: FloatArray, sample: Sample, term: str) -> float:
    """Return how many standard errors the mean weight lies from 1, without the effect of skewness.

    The mean of heavy weights looks too low too often: most samples lack the rare large weights, and with them the
    spread that would tell so.

    Parameters
    ----------
    powers
        The sums of `powers_of`, over all rows.
    term
        The name of the weight among the sample's terms.

    """
    z = standard_errors(float(powers[1] / powers[0]) - 1.0, sample.error({term: 1.0}))
    skewness = _skewness(powers, sample, term)
    return without_skewness(z, skewness) if skewness else z


def without_skewness(z: float, skewness: float) -> float:
    """Return a distance in standard errors without the effect of the skewness of the mean.

    The cubic term keeps the order of distances: without it a mean that lies many standard errors below 1 would seem to
    be near 1, or above.

    >>> [round(without_skewness(z, 0.3), 2) for z in (-8.9, -5.0, 0.0, 3.0)]
    [-3.28, -2.87, 0.05, 4.04]

    References
    ----------
    Johnson (1978), Modified t Tests and Confidence Intervals for Asymmetrical Populations. Hall (1992), On the Removal
    of Skewness by Transformation (the cubic term).
    """
    return z + skewness / 6 + skewness * z * z / 3 + skewness * skewness * z * z * z / 27


def _skewness(powers: FloatArray, sample: Sample, term: str) -> float:
    """Return the skewness of the mean weight."""
    if sample.units is None:
        rows, weight, squares, cubes = powers.tolist()
        mean = weight / rows
        square, cube = squares - rows * mean * mean, cubes - 3 * mean * squares + 2 * rows * mean * mean * mean
    else:
        deviations = sample.deviations({term: 1.0})
        square, cube = float(deviations @ deviations), float(deviations @ (deviations * deviations))
    return cube / (square * root(square)) if square > 1e-12 * sample.rows else 0.0
