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

    def value(self, trajectories: Trajectories, times: FloatArray) -> float:
        """Return the reward per decision, with each shopper counted ``times`` (N,) over."""
        counts = times[trajectories.shopper]
        products = cumulate_weights(trajectories)
        if self._normalised:
            size = np.bincount(trajectories.step, weights=counts)
            mass = np.bincount(trajectories.step, weights=counts * products)
            # A step where all products are 0 says nothing, and keeps the weight 0.
            products = products * np.divide(size, mass, out=np.zeros_like(mass), where=mass > 0)[trajectories.step]
        return float((counts * products * trajectories.reward).sum() / counts.sum())


def cumulate_weights(trajectories: Trajectories) -> FloatArray:
    """Return the product of the weights up to each row (n,)."""
    products = trajectories.weight.copy()
    for step in range(1, trajectories.steps):
        places = np.flatnonzero(trajectories.step == step)
        products[places] *= products[places - 1]
    return products
