"""State-marginal importance sampling."""

from __future__ import annotations

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.sequential.trajectories import Trajectories


class StateMarginal:
    """State-marginal importance sampling: the weight of one decision, times the ratio of its state.

    The ratio of a state at a step is the target's probability of being in this state, divided by the logging policy's.
    Ratios are estimated step by step from the first decision: the ratio of a state at a step is the mean, over the rows
    in this state at this step, of (ratio × weight) of the shopper's previous row. The variance does not grow with the
    product of all weights. The value is correct only if the state contains everything in the past that matters.

    References
    ----------
    Xie, Ma, Wang (2019), Towards Optimal Off-Policy Evaluation for Reinforcement Learning with Marginalized
    Importance Sampling.
    """

    name = "state-marginal"

    def value(self, trajectories: Trajectories, copies: FloatArray) -> float:
        """Return the reward per decision; shopper i counts ``copies[i]`` times (N,)."""
        row_copies = copies[trajectories.shopper]
        weights = marginal_ratios(trajectories, copies) * trajectories.weight
        return float((row_copies * weights * trajectories.reward).sum() / row_copies.sum())


def marginal_ratios(trajectories: Trajectories, copies: FloatArray) -> FloatArray:
    """Return the ratio of each row's state (n,): the target's probability ÷ the logging policy's probability.

    Both are probabilities of the state at the row's step. Shopper i counts ``copies[i]`` times (N,).
    """
    row_copies, weight = copies[trajectories.shopper], trajectories.weight
    ratios = np.ones(len(trajectories))
    for step in range(1, trajectories.steps):
        rows = np.flatnonzero(trajectories.step == step)
        state = trajectories.state[rows]
        # Trajectories are sorted by shopper and step: the row before is the previous decision of the same shopper.
        previous = ratios[rows - 1] * weight[rows - 1]
        weighted_sums = np.bincount(state, weights=row_copies[rows] * previous, minlength=trajectories.states)
        weighted_counts = np.bincount(state, weights=row_copies[rows], minlength=trajectories.states)
        means = np.divide(weighted_sums, weighted_counts, out=np.zeros_like(weighted_sums), where=weighted_counts > 0)
        ratios[rows] = means[state]
    return ratios
