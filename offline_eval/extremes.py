"""Extremes: how far the numbers of rows reach, to be held against what was promised of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from offline_eval.batch import LoggedBatch


@dataclass(frozen=True)
class Extremes:
    """Least and greatest reward, greatest weight, least and greatest prediction; mergeable, empty without rows.

    Examples
    --------
    >>> rows = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.25], target_propensity=[0.25, 0.5])
    >>> Extremes.of(rows).weight
    2.0
    """

    least_reward: float = inf
    reward: float = -inf
    weight: float = -inf
    least_prediction: float = inf
    prediction: float = -inf

    @classmethod
    def of(cls, rows: LoggedBatch) -> Extremes:
        """Give those of a block, of the other target's numbers too."""
        if not len(rows):
            return cls()
        own = cls(
            least_reward=float(rows.reward.min()),
            reward=float(rows.reward.max()),
            weight=float(rows.weight.max()),
            least_prediction=float(min(rows.q_chosen.min(), rows.v_target.min())),
            prediction=float(max(rows.q_chosen.max(), rows.v_target.max())),
        )
        return own if rows.against is None else own + cls.of(rows.against)

    def __add__(self, other: Extremes) -> Extremes:
        """Merge."""
        return Extremes(
            least_reward=min(self.least_reward, other.least_reward),
            reward=max(self.reward, other.reward),
            weight=max(self.weight, other.weight),
            least_prediction=min(self.least_prediction, other.least_prediction),
            prediction=max(self.prediction, other.prediction),
        )
