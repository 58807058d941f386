"""Calibration: whether the reward model's predictions and the logged propensities agree with what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, exp, inf, log1p

import numpy as np

from offline_eval.columns import TOLERANCE, FloatArray
from offline_eval.logs.decisions import Action
from offline_eval.rounding import root
from offline_eval.slots import sum_by_code
from offline_eval.targets import action_label
from policies.catalogue.action_space import JointAction

_MOST = 1_000
"""Joint actions that are counted one by one."""

_STEPS = np.array([1.0, 1.5, 2.0, 3.0, 5.0, 7.0])
_EDGES = np.concatenate([10.0**power * _STEPS for power in range(-6, 6)])
EDGES = np.concatenate([-_EDGES[::-1], [0.0], _EDGES])
"""Fixed edges of the bins of predictions, six per decade on both sides of 0, for rewards in any unit."""


@dataclass(frozen=True)
class CalibrationBin:
    """Rows with similar predictions: their number, their mean prediction and their mean reward."""

    rows: int
    predicted: float
    observed: float


class RewardCalibration:
    """Mean reward against mean prediction of the logged joint actions, by bins of the prediction; two can be added.

    Examples
    --------
    >>> calibration = RewardCalibration()
    >>> calibration.add(predicted=np.array([0.52, 0.56]), reward=np.array([0.0, 1.0]))
    >>> calibration.bins()
    [CalibrationBin(rows=2, predicted=0.54, observed=0.5)]
    """

    def __init__(self) -> None:
        self._sums = np.zeros((3, len(EDGES) + 1))

    def add(self, predicted: FloatArray, reward: FloatArray) -> None:
        places = np.searchsorted(EDGES, predicted, side="right")
        for line, amounts in enumerate((None, predicted, reward)):
            self._sums[line] += np.bincount(places, weights=amounts, minlength=len(EDGES) + 1)

    def __add__(self, other: RewardCalibration) -> RewardCalibration:
        merged = RewardCalibration()
        merged._sums = self._sums + other._sums
        return merged

    def bins(self) -> list[CalibrationBin]:
        """Return the bins that have rows."""
        rows, predicted, reward = self._sums
        return [
            CalibrationBin(int(count), float(predicted[place] / count), float(reward[place] / count))
            for place, count in enumerate(rows)
            if count
        ]


@dataclass(frozen=True)
class ServedFrequency:
    """How often a joint action or a channel was drawn, and the sum of its propensities.

    ``z`` is their difference in standard errors, ``chance`` a bound on the probability of so large a difference.
    """

    label: str
    drawn: int
    expected: float
    z: float
    chance: float


class ServedFrequencies:
    """Compares served frequencies with logged propensities, from whole distributions; two can be added.

    Where actions were drawn with the logged probabilities, the count of each joint action, and of each channel, differs
    from the sum of its propensities by chance alone. The first thousand joint actions have counters; all others are
    counted together.

    Examples
    --------
    >>> served = ServedFrequencies()
    >>> for position in (0, 1, 0, 0):
    ...     served.add(["push", "email"], np.array([0.75, 0.25]), position)
    >>> [(frequency.label, frequency.drawn, frequency.expected) for frequency in served.frequencies()]
    [('push', 3, 3.0), ('email', 1, 1.0)]

    References
    ----------
    Bennett (1962), Probability Inequalities for the Sum of Independent Random Variables; Freedman (1975), On Tail
    Probabilities for Martingales. The bound holds for rare joint actions too (a normal or chi-square bound does not),
    and where the logging policy learns meanwhile.
    """

    def __init__(self) -> None:
        self._actions, self._channels = _Counts(), _Counts()
        self._channel_of = np.zeros(_MOST + 1, dtype=np.int64)

    def add(self, actions: Sequence[Action], probabilities: FloatArray, drawn: int) -> None:
        """Add a decision: the eligible set (K,), its distribution (K,), the drawn position."""
        places = np.array(self._find_places(actions), dtype=np.int64)
        mass = sum_by_code(probabilities, places)
        channel_of = self._channel_of[: len(mass)]
        self._actions.add(mass, places[drawn])
        self._channels.add(sum_by_code(mass, channel_of), channel_of[places[drawn]])

    def _find_places(self, actions: Sequence[Action]) -> list[int]:
        places = self._actions.places
        try:
            return [places[action] for action in actions]
        except KeyError:
            return [self._place(action) for action in actions]

    def _place(self, action: Action) -> int:
        place = self._actions.place(action)
        if place:
            self._channel_of[place] = self._channels.place(
                action.channel if isinstance(action, JointAction) else action
            )
        return place

    def __add__(self, other: ServedFrequencies) -> ServedFrequencies:
        merged = ServedFrequencies()
        for part in (self, other):
            merged._find_places(list(part._actions.places))
            merged._actions.merge(part._actions)
            merged._channels.merge(part._channels)
        return merged

    def frequencies(self) -> list[ServedFrequency]:
        """Return the frequency of every channel."""
        return self._channels.frequencies()

    def least_probable(self) -> ServedFrequency | None:
        """Return the least probable frequency, of a joint action or a channel; None without decisions."""
        frequencies = [*self._actions.frequencies(), *self._channels.frequencies()]
        return min(frequencies, key=lambda frequency: frequency.chance, default=None)

    def p_value(self) -> float:
        """Return a p-value: a bound on the probability that any frequency differs so much by chance.

        Both sides and all frequencies are counted (Bonferroni).
        """
        chances = [frequency.chance for frequency in (*self._actions.frequencies(), *self._channels.frequencies())]
        return min(1.0, 2 * len(chances) * min(chances)) if chances else 1.0


class _Counts:
    """Draws, sums of propensities and their variances, by name."""

    def __init__(self) -> None:
        self.places: dict[Action, int] = {}
        self._sums = np.zeros((3, _MOST + 1))  # the first column counts all names without a column

    def place(self, name: Action) -> int:
        """Return the column of a name; a new name gets a column as long as there are any, then the first one."""
        if len(self.places) < _MOST:
            return self.places.setdefault(name, len(self.places) + 1)
        return self.places.get(name, 0)

    def add(self, mass: FloatArray, drawn: np.int64) -> None:
        """Add a decision: the probabilities of the first columns, and the drawn column."""
        self._sums[0, drawn] += 1
        self._sums[1, : len(mass)] += mass
        self._sums[2, : len(mass)] += mass * (1 - mass)

    def merge(self, other: _Counts) -> None:
        """Add the counts of another part of the log."""
        for source, place in enumerate([0, *map(self.place, other.places)]):
            self._sums[:, place] += other._sums[:, source]

    def frequencies(self) -> list[ServedFrequency]:
        """Return the frequency of every name."""
        labels = [("(others)", 0)] if self._sums[1, 0] else []
        labels += [(action_label(name), place) for name, place in self.places.items()]
        return [_frequency(label, *self._sums[:, place].tolist()) for label, place in labels]


def _frequency(label: str, drawn: float, expected: float, variance: float) -> ServedFrequency:
    difference, error = drawn - expected, root(variance)
    z = difference / error if error > 1e-6 else (0.0 if abs(difference) < 1e-6 else copysign(inf, difference))
    return ServedFrequency(label, int(drawn), expected, z, _chance(abs(difference) - TOLERANCE * expected, variance))


def _chance(difference: float, variance: float) -> float:
    """Return a bound on the probability that a sum of draws differs so much from its expectation on one side."""
    if difference <= 0:
        return 1.0
    variance = max(variance, 1e-12)
    ratio = difference / variance
    return exp(-variance * ((1 + ratio) * log1p(ratio) - ratio))
