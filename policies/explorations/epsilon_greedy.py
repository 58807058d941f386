"""ε-greedy: the best joint action, and sometimes any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from policies.arrays import FloatArray
from policies.explorations.base import Scores, check_parameter, find_best, share_equally


@dataclass(frozen=True)
class EpsilonGreedy:
    """p(a) = (1 - ε)·greedy(a) + ε/K, where K joint actions are eligible, HOLD included.

    The floor of a policy is mixed in afterwards: it is what every policy has, this ε is what a policy chooses.

    Parameters
    ----------
    epsilon
        The share of decisions that are uniform over the eligible set, from 0 to 1.

    Examples
    --------
    >>> scores = Scores(np.array([[2.0, 1.0, -np.inf, 0.5]]), hold=np.array([True]))
    >>> EpsilonGreedy(epsilon=0.2).explore(scores)
    array([[0.85, 0.05, 0.  , 0.05, 0.05]])

    References
    ----------
    Watkins (1989), Learning from Delayed Rewards. Sutton and Barto (2018), Reinforcement Learning, section 2.2.
    """

    name: ClassVar[str] = "epsilon-greedy"
    epsilon: float

    def __post_init__(self) -> None:
        is_allowed = 0.0 <= self.epsilon <= 1.0
        check_parameter(self.name, "epsilon", self.epsilon, "lie between 0 and 1", is_allowed=is_allowed)

    def explore(self, scores: Scores) -> FloatArray:
        """Return the distributions (r, n + 1)."""
        greedy = share_equally(find_best(scores.sends, scores.hold))
        uniform = share_equally(scores.with_hold() > -np.inf)
        return (1.0 - self.epsilon) * greedy + self.epsilon * uniform
