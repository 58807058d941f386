"""The expected reward of reactions, by the reward weights of a catalogue, as a mean over order values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from policies.catalogue.document import Reward
from policies.catalogue.rulebook import Rulebook
from simulators import parameters
from simulators.arrays import FloatArray
from simulators.parameters import ChannelTable


@dataclass(frozen=True)
class ExpectedReward:
    """Mean rewards of the n joint actions of a catalogue.

    Attributes
    ----------
    seen
        For a message that is seen, by click, order and opt-out (0 no, 1 yes), (n, 2, 2, 2).
    unseen
        For a message that is never seen, (n,).
    """

    seen: FloatArray
    unseen: FloatArray

    @classmethod
    def of(cls, rulebook: Rulebook) -> ExpectedReward:
        weights, space = rulebook.catalogue.reward, rulebook.space
        channels, complaints = space.channels, ChannelTable.of(space.channels).complaints
        seen = np.zeros((len(space), 2, 2, 2))
        for number, (channel, cost) in enumerate(zip(space.channel_of, rulebook.costs, strict=True)):
            opened = weights.open if channels[channel] == "email" else 0.0
            for clicked in (0, 1):
                gain = weights.click * clicked + opened - cost
                for left in (0, 1):
                    share = complaints[channel] if left else 0.0
                    losses = [(1.0 - share, weights.consent_value * left)]
                    losses += [(share, weights.consent_value + weights.complaint)] if share else []
                    for ordered in (0, 1):
                        seen[number, clicked, ordered, left] = sum(
                            probability * _mean_reward(gain - loss, weights, ordered=bool(ordered))
                            for probability, loss in losses
                        )
        return cls(seen, np.clip(-rulebook.costs, -weights.max, weights.max))

    def average(self, probabilities: FloatArray, seen: FloatArray) -> FloatArray:
        """Return expected rewards (n,).

        Parameters
        ----------
        probabilities
            Joint probabilities of being seen with each reaction, (n, 2, 2, 2).
        seen
            Probability of being seen, (n,).
        """
        return np.asarray((probabilities * self.seen).sum(axis=(1, 2, 3)) + (1.0 - seen) * self.unseen)


def _mean_reward(base: float, weights: Reward, *, ordered: bool) -> float:
    """Return E[clip(base + margin * V, ±max)] for log-normal order values V; without an order, clip(base, ±max).

    >>> round(_mean_reward(0.1, Reward(max=1e6), ordered=True), 2)
    34.87
    >>> _mean_reward(-30.0, Reward(max=20.0), ordered=False)
    -20.0
    """
    if not ordered or weights.margin == 0.0:
        return max(-weights.max, min(weights.max, base))
    low, high = ((bound - base) / weights.margin for bound in (-weights.max, weights.max))
    limited = mean_limited_value(high) + max(low, 0.0) * _probability_below(low) - _mean_below(low)
    return base + weights.margin * limited


def mean_limited_value(limit: float) -> float:
    """Return E[min(V, limit)] for log-normal order values V.

    >>> round(mean_limited_value(1e9), 2)
    115.91
    """
    return _mean_below(limit) + limit * (1.0 - _probability_below(limit)) if limit > 0.0 else limit


def _probability_below(value: float) -> float:
    """Return P(V < value)."""
    if value <= 0.0:
        return 0.0
    return _normal_cdf((math.log(value) - parameters.VALUE_LOG_MEAN) / parameters.VALUE_LOG_SD)


def _mean_below(value: float) -> float:
    """Return E[V; V < value]."""
    if value <= 0.0:
        return 0.0
    mean = math.exp(parameters.VALUE_LOG_MEAN + parameters.VALUE_LOG_SD**2 / 2)
    z = (math.log(value) - parameters.VALUE_LOG_MEAN) / parameters.VALUE_LOG_SD
    return mean * _normal_cdf(z - parameters.VALUE_LOG_SD)


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
