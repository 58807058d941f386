"""Per-decision importance sampling."""

from __future__ import annotations

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.sequential.trajectories import Trajectories


class PerDecision:
    """Per-decision importance sampling: each reward times the product of the weights up to its decision.

    Unbiased without any assumption on states, but the variance of the product grows with every step: useful for a dozen
    decisions, and a target near the logging policy.

    Parameters
    ----------
    normalised
        Divide by the mean product of each step: a little bias for much less variance.

    References
    ----------
    Precup, Sutton, Singh (2000), Eligibility Traces for Off-Policy Policy Evaluation.
    """

    def __init__(self, *, normalised: bool = False) -> None:
        self.name = "sn-pdis" if normalised else "pdis"
        self._normalised = normalised

    def value(self, trajectories: Trajectories, copies: FloatArray) -> float:
        """Return the reward per decision; shopper i counts ``copies[i]`` times (N,)."""
        row_copies = copies[trajectories.shopper]
        products = cumulate_weights(trajectories)
        if self._normalised:
            counts = np.bincount(trajectories.step, weights=row_copies)
            sums = np.bincount(trajectories.step, weights=row_copies * products)
            # A step where all products are 0 says nothing, and keeps the weight 0.
            products = products * np.divide(counts, sums, out=np.zeros_like(sums), where=sums > 0)[trajectories.step]
        return float((row_copies * products * trajectories.reward).sum() / row_copies.sum())


def cumulate_weights(trajectories: Trajectories) -> FloatArray:
    """Return the product of the weights up to each row (n,)."""
    products = trajectories.weight.copy()
    for step in range(1, trajectories.steps):
        rows = np.flatnonzero(trajectories.step == step)
        # Trajectories are sorted by shopper and step: the row before is the previous decision of the same shopper.
        products[rows] *= products[rows - 1]
    return products
