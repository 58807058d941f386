"""Softmax: the better the score, the more probable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from policies.arrays import FloatArray
from policies.explorations.base import Scores, check_parameter, total


@dataclass(frozen=True)
class Softmax:
    """p(a) ∝ exp(score(a) / τ) over the eligible set, HOLD's score being 0 (Boltzmann exploration).

    Parameters
    ----------
    temperature
        τ > 0, in the unit of the scores: a joint action that is worse by τ is less probable by the factor e. Towards 0
        the best joint action takes all; towards ∞ all eligible joint actions are equally probable.

    Examples
    --------
    >>> scores = Scores(np.array([[np.log(3.0), 0.0, -np.inf]]), hold=np.array([True]))
    >>> Softmax(temperature=1.0).explore(scores).round(3)
    array([[0.6, 0.2, 0. , 0.2]])

    References
    ----------
    Luce (1959), Individual Choice Behavior. Sutton (1990), Integrated Architectures for Learning, Planning, and
    Reacting.
    """

    name: ClassVar[str] = "softmax"
    temperature: float

    def __post_init__(self) -> None:
        check_temperature(self.name, self.temperature)

    def explore(self, scores: Scores) -> FloatArray:
        """Return the distributions (r, n + 1)."""
        return softmax(scores.with_hold(), self.temperature)


def softmax(values: FloatArray, temperature: float) -> FloatArray:
    """Return the softmax of each row of values (r, columns), 0 for -∞; at least one value of a row is finite.

    Differences that are too large for float64 count as infinite.
    """
    with np.errstate(over="ignore"):
        weights = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(weights / total(weights))


def check_temperature(exploration: str, temperature: float) -> None:
    """Refuse a temperature that is not a positive number.

    Raises
    ------
    ValueError
        With the name of the exploration.
    """
    is_allowed = 0.0 < temperature < np.inf
    check_parameter(exploration, "temperature", temperature, "be positive and finite", is_allowed=is_allowed)
