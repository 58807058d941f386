"""The importance weights: how many rows count effectively, and how heavy the tail of the weights is."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.diagnostics.skewness import Skewness

_KEPT = 20_000
"""How many of the largest weights are kept: enough for the tail of 40 million rows (3·√n)."""

_LEAST_TAIL = 25
"""The smallest number of weights with which a tail can be distinguished from a step.

A step is a jump between two levels of weights, as where the target favours some joint actions. Above a threshold below
the step the weights look like a heavy tail; above a higher threshold they do not.
"""

_BEYOND_CHANCE = 3.0
"""By how many standard errors the shape must fall; high, because about five comparisons are made."""

EDGES = 10.0 ** np.arange(-4, 6.25, 0.25)
"""Edges of the histogram of weights, four bins per decade."""


@dataclass(frozen=True)
class WeightSummary:
    """A summary of the weights of a log.

    ``effective_sample_size`` is (Σw)²/Σw², in rows. ``largest`` is the largest weight, and ``largest_share`` its share
    of the sum of all weights; ``largest_square_share`` is the share of its square in the sum of all squares.
    ``heaviest_share`` is the share of the 0.1 % of the rows with the largest weights (of at least one row).
    ``tail_index`` is the shape of a generalised Pareto distribution fitted to the largest weights: from
    .7 on means of weights are unreliable, from 1 on they do not exist. ``skewness`` is the expected skewness of
    weighted rewards (see `Skewness`). ``histogram`` counts the weights between `EDGES`, with the weights below and
    above in the first and the last bin; weights of 0 are counted in ``zeros`` only.
    """

    rows: int
    mean: float
    effective_sample_size: float
    largest: float
    largest_share: float
    largest_square_share: float
    heaviest_share: float
    tail_index: float
    skewness: float
    zeros: int
    histogram: tuple[int, ...]


class Weights:
    """Sums up importance weights; two can be added.

    Examples
    --------
    >>> weights = Weights()
    >>> weights.add(weight=np.array([1.0, 1.0, 2.0]), reward=np.array([0.0, 1.0, 1.0]))
    >>> round(weights.summary().effective_sample_size, 3), weights.summary().largest_share
    (2.667, 0.5)

    References
    ----------
    Kong (1992), A note on importance sampling using standardized weights; Vehtari, Simpson, Gelman, Yao, Gabry
    (2024), Pareto Smoothed Importance Sampling (tail index and its threshold).
    """

    def __init__(self) -> None:
        self._rows = 0
        self._powers = np.zeros(2)  # Σw, Σw²
        self._skewness = Skewness()
        self._largest = np.zeros(0)
        self._zeros = 0
        self._histogram = np.zeros(len(EDGES) + 1, dtype=np.int64)

    def add(self, weight: FloatArray, reward: FloatArray) -> None:
        """Add rows: weights (n,) and rewards (n,)."""
        self._rows += len(weight)
        self._powers += weight.sum(), weight @ weight
        self._skewness.add(weight, reward)
        self._keep(weight)
        positive = weight[weight > 0]
        self._zeros += len(weight) - len(positive)
        places = np.searchsorted(EDGES, positive, side="right")
        self._histogram += np.bincount(places, minlength=len(EDGES) + 1)

    def _keep(self, weight: FloatArray) -> None:
        if len(self._largest) == _KEPT:
            weight = weight[weight > self._largest.min()]
        self._largest = np.concatenate([self._largest, weight])
        if len(self._largest) > _KEPT:
            self._largest = np.partition(self._largest, -_KEPT)[-_KEPT:]

    def __add__(self, other: Weights) -> Weights:
        merged = Weights()
        merged._rows = self._rows + other._rows
        merged._powers = self._powers + other._powers
        merged._skewness = self._skewness + other._skewness
        merged._keep(self._largest)
        merged._keep(other._largest)
        merged._zeros = self._zeros + other._zeros
        merged._histogram = self._histogram + other._histogram
        return merged

    def summary(self) -> WeightSummary:
        total, squares = self._powers.tolist()
        largest = np.sort(self._largest)[::-1]
        heaviest = largest[: max(1, self._rows // 1_000)]
        return WeightSummary(
            rows=self._rows,
            mean=total / self._rows,
            effective_sample_size=total * total / squares if squares > 0 else 0.0,
            largest=float(largest[0]),
            largest_share=float(largest[0] / total) if total > 0 else 0.0,
            largest_square_share=float(largest[0] * largest[0] / squares) if squares > 0 else 0.0,
            heaviest_share=float(heaviest.sum() / total) if total > 0 else 0.0,
            tail_index=_tail_index(largest, self._rows),
            skewness=self._skewness.value(),
            zeros=self._zeros,
            histogram=tuple(self._histogram.tolist()),
        )


def _tail_index(descending: FloatArray, rows: int) -> float:
    """Return the shape of a generalised Pareto distribution fitted to the largest weights; 0 where there is no tail.

    A tail has the same shape above every threshold (Pickands 1975); a step between two levels of weights has not.
    So the fit is repeated with half as many weights, a quarter, and so on, and a clearly smaller shape replaces the
    current one. A smaller difference may be chance: then the next shape is compared with the current one again.
    """
    # The tail has min(n/5, 3·√n) weights: Vehtari, Simpson, Gelman, Yao, Gabry (2024), Pareto smoothed importance
    # sampling.
    count = min(ceil(min(0.2 * rows, 3 * sqrt(rows))), len(descending) - 1)
    shape = _shape_above(descending, count)
    while shape > 0 and count >= 2 * _LEAST_TAIL:
        count //= 2
        fewer = _shape_above(descending, count)
        # The standard error of a shape is (1 + shape)/√count (Smith 1987).
        if shape - fewer > _BEYOND_CHANCE * (1 + shape) / sqrt(count):
            shape = fewer
    return shape


def _shape_above(descending: FloatArray, count: int) -> float:
    """Return the shape fitted to the largest ``count`` weights; 0 with fewer than 5 of them, or 5 distinct values."""
    if count < 5:
        return 0.0
    above = (descending[:count] - descending[count])[::-1]
    above = above[above > 0]
    return _pareto_shape(above / above[-1]) if len(np.unique(above)) >= 5 else 0.0


def _pareto_shape(ascending: FloatArray) -> float:
    """Return the shape by the method of Zhang, Stephens (2009), which Pareto smoothed importance sampling uses.

    The method estimates θ = -shape ÷ scale by its posterior mean on a grid of values; each θ has one best shape.
    """
    count = len(ascending)
    grid_size = 30 + int(sqrt(count))
    spread = 1 - np.sqrt(grid_size / (np.arange(1, grid_size + 1) - 0.5))
    quartile = ascending[int(count / 4 + 0.5) - 1]
    thetas = spread / (3 * quartile) + 1 / ascending[-1]
    shapes = np.log1p(-thetas[:, None] * ascending).mean(axis=1)
    # At θ = 0 the distribution is exponential, and its scale is the mean.
    ratios = np.divide(-thetas, shapes, out=np.full(grid_size, 1 / ascending.mean()), where=shapes != 0)
    log_likelihoods = count * (np.log(ratios) - shapes - 1)
    posterior = np.exp(log_likelihoods - log_likelihoods.max())
    theta = float((thetas * posterior).sum() / posterior.sum())
    shape = float(np.log1p(-theta * ascending).mean())
    # A weak prior towards .5, worth ten observations, stabilises the fit when few weights are in the tail.
    return (shape * count + 5) / (count + 10)
