"""Calibration: whether predicted numbers come true, the reward model's and the logged propensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, exp, inf, log1p, sqrt

import numpy as np

from offline_eval.batch import TOLERANCE, FloatArray
from offline_eval.logs.decisions import Action
from offline_eval.slots import summed
from offline_eval.targets import action_label
from policies.catalogue.action_space import JointAction

_MOST = 1_000
"""Joint actions that are counted apart."""

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
    """How often something was drawn, against the sum of its propensities.

    ``z`` is how far apart they are in standard errors, ``chance`` a bound on the probability of that.
    """

    label: str
    drawn: int
    expected: float
    z: float
    chance: float


class ServedFrequencies:
    """Served frequencies against logged propensities, from whole distributions; mergeable.

    Where the logged numbers are those that were drawn with, the count of each joint action, and of each channel,
    differs from the sum of its propensities by chance alone. Memory holds the first thousand joint actions; all
    others are counted together.

    Examples
    --------
    >>> served = ServedFrequencies()
    >>> for position in (0, 1, 0, 0):
    ...     served.add(["push", "email"], np.array([0.75, 0.25]), position)
    >>> [(each.label, each.drawn, each.expected) for each in served.served()]
    [('push', 3, 3.0), ('email', 1, 1.0)]

    References
    ----------
    Bennett (1962), Probability Inequalities for the Sum of Independent Random Variables; Freedman (1975), On Tail
    Probabilities for Martingales: the bound holds for joint actions however rare (a normal or chi-square one does not),
    and where the logging policy learns meanwhile.
    """

    def __init__(self) -> None:
        self._actions, self._channels = _Counts(), _Counts()
        self._channel_of = np.zeros(_MOST + 1, dtype=np.int64)

    def add(self, actions: Sequence[Action], probabilities: FloatArray, drawn: int) -> None:
        """Add a decision: the eligible set (K,), its distribution (K,), the drawn position."""
        places = np.array(self._placed(actions), dtype=np.int64)
        mass = summed(probabilities, places)
        channel_of = self._channel_of[: len(mass)]
        self._actions.add(mass, places[drawn])
        self._channels.add(summed(mass, channel_of), channel_of[places[drawn]])

    def _placed(self, actions: Sequence[Action]) -> list[int]:
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
        """Merge."""
        merged = ServedFrequencies()
        for part in (self, other):
            merged._placed(list(part._actions.places))
            merged._actions.merge(part._actions)
            merged._channels.merge(part._channels)
        return merged

    def served(self) -> list[Served]:
        """Give every channel's frequency."""
        return self._channels.served()

    def worst(self) -> Served | None:
        """Give the joint action or channel that is least likely to be so far off; None where nothing was added."""
        return min([*self._actions.served(), *self._channels.served()], key=lambda each: each.chance, default=None)

    def chance(self) -> float:
        """Bound the probability of any frequency so far off, on either side (Bonferroni)."""
        chances = [each.chance for each in (*self._actions.served(), *self._channels.served())]
        return min(1.0, 2 * len(chances) * min(chances)) if chances else 1.0


class _Counts:
    """Draws, sums of propensities and their variances, by name."""

    def __init__(self) -> None:
        self.places: dict[Action, int] = {}
        self._sums = np.zeros((3, _MOST + 1))  # the first column is of all names beyond the most

    def place(self, name: Action) -> int:
        """Give a name's column, a new one as long as there are any."""
        if len(self.places) < _MOST:
            return self.places.setdefault(name, len(self.places) + 1)
        return self.places.get(name, 0)

    def add(self, mass: FloatArray, drawn: np.int64) -> None:
        """Add a decision: the probabilities of the first columns, the drawn one."""
        self._sums[0, drawn] += 1
        self._sums[1, : len(mass)] += mass
        self._sums[2, : len(mass)] += mass * (1 - mass)

    def merge(self, other: _Counts) -> None:
        """Add what another has counted."""
        for theirs, ours in enumerate([0, *map(self.place, other.places)]):
            self._sums[:, ours] += other._sums[:, theirs]

    def served(self) -> list[Served]:
        """Give every name's frequency."""
        named = [("(others)", 0)] if self._sums[1, 0] else []
        named += [(action_label(name), place) for name, place in self.places.items()]
        return [_served(label, *self._sums[:, place].tolist()) for label, place in named]


def _served(label: str, drawn: float, expected: float, variance: float) -> Served:
    apart, error = drawn - expected, sqrt(max(variance, 0.0))
    z = apart / error if error > 1e-6 else (0.0 if abs(apart) < 1e-6 else copysign(inf, apart))
    return Served(label, int(drawn), expected, z, _chance(abs(apart) - TOLERANCE * expected, variance))


def _chance(apart: float, variance: float) -> float:
    """Bound the probability that a sum of draws lies so far on one side of its expectation."""
    if apart <= 0:
        return 1.0
    variance = max(variance, 1e-12)
    ratio = apart / variance
    return exp(-variance * ((1 + ratio) * log1p(ratio) - ratio))
