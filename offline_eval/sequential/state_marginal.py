"""State-marginal importance sampling."""

from __future__ import annotations

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.sequential.trajectories import Trajectories


class StateMarginal:
    """State-marginal importance sampling: the weight of one decision, times the ratio of its state.

    The ratio of a state at a step is the target's probability of being in this state, divided by the logging policy's.
    Ratios are estimated forward: the ratio of a state is the mean of ratio times weight over the rows that led to this
    state. The variance does not grow with the product of all weights. The value is right where the state holds all of
    the past that matters.

    References
    ----------
    Xie, Ma, Wang (2019), Towards Optimal Off-Policy Evaluation for Reinforcement Learning with Marginalized
    Importance Sampling.
    """

    name = "state-marginal"

    def value(self, trajectories: Trajectories, times: FloatArray) -> float:
        """Return the reward per decision, with each shopper counted ``times`` (N,) over."""
        counts = times[trajectories.shopper]
        weights = marginal_ratios(trajectories, times) * trajectories.weight
        return float((counts * weights * trajectories.reward).sum() / counts.sum())


def marginal_ratios(trajectories: Trajectories, times: FloatArray) -> FloatArray:
    """Return the ratio of each row (n,): the target's probability of its state and step ÷ the logging policy's."""
    counts, weight = times[trajectories.shopper], trajectories.weight
    ratios = np.ones(len(trajectories))
    for step in range(1, trajectories.steps):
        places = np.flatnonzero(trajectories.step == step)
        state, size = trajectories.state[places], counts[places]
        arrived = ratios[places - 1] * weight[places - 1]
        mass = np.bincount(state, weights=size * arrived, minlength=trajectories.states)
        rows = np.bincount(state, weights=size, minlength=trajectories.states)
        ratios[places] = np.divide(mass, rows, out=np.zeros_like(mass), where=rows > 0)[state]
    return ratios
