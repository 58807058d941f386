"""Calibration: whether predicted numbers come true, the reward model's and the logged propensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from offline_eval.rows import FloatArray, Labels

_STEPS = np.array([1.0, 1.5, 2.0, 3.0, 5.0, 7.0])
_EDGES = np.concatenate([10.0**power * _STEPS for power in range(-6, 6)])
EDGES = np.concatenate([-_EDGES[::-1], [0.0], _EDGES])
"""Fixed edges of the bins of predictions, six a decade on both sides of 0: they suit every unit of reward."""


@dataclass(frozen=True)
class Bin:
    """Rows with similar predictions: how many, their mean prediction and what really came."""

    rows: int
    predicted: float
    observed: float


class RewardCalibration:
    """Mean reward against mean prediction of the logged joint actions, by bins of the prediction; mergeable.

    Examples
    --------
    >>> calibration = RewardCalibration()
    >>> calibration.add(predicted=np.array([0.52, 0.56]), reward=np.array([0.0, 1.0]))
    >>> calibration.bins()
    [Bin(rows=2, predicted=0.54, observed=0.5)]
    """

    def __init__(self) -> None:
        self._sums = np.zeros((3, len(EDGES) + 1))

    def add(self, predicted: FloatArray, reward: FloatArray) -> None:
        """Add a block of rows."""
        places = np.searchsorted(EDGES, predicted, side="right")
        for line, amounts in enumerate((None, predicted, reward)):
            self._sums[line] += np.bincount(places, weights=amounts, minlength=len(EDGES) + 1)

    def __add__(self, other: RewardCalibration) -> RewardCalibration:
        """Merge."""
        merged = RewardCalibration()
        merged._sums = self._sums + other._sums
        return merged

    def bins(self) -> list[Bin]:
        """Give the bins that have rows."""
        rows, predicted, reward = self._sums
        return [
            Bin(int(rows[number]), float(predicted[number] / rows[number]), float(reward[number] / rows[number]))
            for number in np.flatnonzero(rows)
        ]


@dataclass(frozen=True)
class Served:
    """How often something was drawn, against the sum of its propensities."""

    label: str
    drawn: int
    expected: float
    z: float


class ServedFrequencies:
    """Served frequencies against logged propensities, from whole distributions; mergeable.

    Where the logged number is the one that was drawn with, each label's count differs from the sum of its
    propensities by chance alone.

    Examples
    --------
    >>> served = ServedFrequencies()
    >>> for position in (0, 1, 0, 0):
    ...     served.add(["push", "email"], np.array([0.75, 0.25]), position)
    >>> [(each.label, each.drawn, each.expected) for each in served.served()]
    [('push', 3, 3.0), ('email', 1, 1.0)]
    """

    def __init__(self) -> None:
        self._sums: dict[str, FloatArray] = {}

    def add(self, labels: Labels | list[str], probabilities: FloatArray, drawn: int) -> None:
        """Add a decision: the labels of the eligible set (K,), its distribution (K,), the drawn position."""
        mass: dict[str, float] = {}
        for label, probability in zip(labels, probabilities.tolist(), strict=True):
            mass[label] = mass.get(label, 0.0) + probability
        own = labels[drawn]
        for label, probability in mass.items():
            sums = self._sums.setdefault(label, np.zeros(3))
            sums += (label == own, probability, probability * (1 - probability))

    def __add__(self, other: ServedFrequencies) -> ServedFrequencies:
        """Merge."""
        merged = ServedFrequencies()
        for part in (self, other):
            for label, sums in part._sums.items():
                merged._sums[label] = merged._sums.get(label, np.zeros(3)) + sums
        return merged

    def served(self) -> list[Served]:
        """Give every label's frequency."""
        return [_served(label, sums) for label, sums in self._sums.items()]

    def chance(self) -> float:
        """Give the probability of frequencies at least so far off (labels taken as independent, Bonferroni)."""
        if not self._sums:
            return 1.0
        worst = max(each.z**2 for each in self.served())
        return min(1.0, len(self._sums) * float(chdtrc(1, worst)))


def _served(label: str, sums: FloatArray) -> Served:
    drawn, expected, variance = sums.tolist()
    apart = drawn - expected
    z = apart / np.sqrt(variance) if variance > 1e-12 else (0.0 if abs(apart) < 1e-6 else np.copysign(np.inf, apart))
    return Served(label, int(drawn), float(expected), float(z))
