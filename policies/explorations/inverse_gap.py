"""Inverse gap weighting: a joint action is the rarer, the more it seems to lose against the best one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from policies.arrays import FloatArray
from policies.explorations.base import Scores, check_parameter, find_best, total


@dataclass(frozen=True)
class InverseGapWeighting:
    """p(a) = 1 / (K + γ·(best score - score(a))); the best joint action has the rest. K joint actions are eligible.

    Several best sends share the rest equally. HOLD is best only if every send scores below 0.

    Parameters
    ----------
    gamma
        γ ≥ 0, in 1 / unit of the scores. 0 is uniform choice, ∞ would be greedy. The regret bound of the paper needs a
        γ that grows with the square root of what was learned, so a policy chooses a γ for each of its model versions.

    Examples
    --------
    >>> scores = Scores(np.array([[3.0, 1.0, -np.inf]]), hold=np.array([True]))
    >>> InverseGapWeighting(gamma=1.0).explore(scores).round(3)
    array([[0.633, 0.2  , 0.   , 0.167]])

    References
    ----------
    Foster and Rakhlin (2020), Beyond UCB: Optimal and Efficient Contextual Bandits with Regression Oracles (SquareCB).
    Abe and Long (1999), Associative Reinforcement Learning using Linear Probabilistic Concepts.
    """

    name: ClassVar[str] = "inverse-gap"
    gamma: float

    def __post_init__(self) -> None:
        is_allowed = 0.0 <= self.gamma < np.inf
        check_parameter(self.name, "gamma", self.gamma, "be at least 0 and finite", is_allowed=is_allowed)

    def explore(self, scores: Scores) -> FloatArray:
        """Return the distributions (r, n + 1)."""
        values, best = scores.with_hold(), find_best(scores.sends, scores.hold)
        eligible = values > -np.inf
        sizes = eligible.sum(axis=1)[:, None]
        with np.errstate(over="ignore"):
            gaps = values.max(axis=1, keepdims=True) - values
            weights = 1.0 / (sizes + self.gamma * np.minimum(gaps, np.finfo(np.float64).max))
        others = np.where(eligible & ~best, weights, 0.0)
        rest = (1.0 - total(others)) / best.sum(axis=1)[:, None]
        return np.where(best, rest, others)
