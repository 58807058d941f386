"""State-marginal importance sampling."""

from __future__ import annotations

import numpy as np

from offline_eval.batch import FloatArray
from offline_eval.sequential.trajectories import Trajectories


class StateMarginal:
    """State-marginal importance sampling: one decision's weight, times how much likelier the target is in its state.

    The ratio of the two policies' chances to be in a state at a step is estimated forward: that of a state is the
    mean of ratio times weight over the rows that came there. The variance no longer grows with the product of all
    weights. Right where the state carries all of the past that matters.

    References
    ----------
    Xie, Ma, Wang (2019), Towards Optimal Off-Policy Evaluation for Reinforcement Learning with Marginalized
    Importance Sampling.
    """

    name = "state-marginal"

    def value(self, trajectories: Trajectories, times: FloatArray) -> float:
        """Estimate the reward per decision, each shopper counted ``times`` (N,) over."""
        counts = times[trajectories.shopper]
        weights = marginal_ratios(trajectories, times) * trajectories.weight
        return float((counts * weights * trajectories.reward).sum() / counts.sum())


def marginal_ratios(trajectories: Trajectories, times: FloatArray) -> FloatArray:
    """Give each row's ratio (n,): how much likelier its state at its step is under the target."""
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
