"""ExpectedReward: what outcomes are worth by a catalogue's reward weights, on average over order values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.document import Reward
from policies.catalogue.rulebook import Rulebook
from simulators import parameters as of
from simulators.parameters import ChannelTable

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ExpectedReward:
    """Mean rewards of the joint actions of a catalogue.

    ``seen`` (n, 2, 2, 2) is for a message that is seen, by whether it is clicked, followed by an order, and
    answered by leaving; ``unseen`` (n,) for one that never is.
    """

    seen: FloatArray
    unseen: FloatArray

    @classmethod
    def of(cls, rulebook: Rulebook) -> ExpectedReward:
        """Compute the means by the catalogue's reward weights."""
        weights, space = rulebook.catalogue.reward, rulebook.space
        channels, complaints = space.channels, ChannelTable.of(space.channels).complaints
        seen = np.zeros((len(space), 2, 2, 2))
        for row, (channel, cost) in enumerate(zip(space.channel_of, rulebook.costs, strict=True)):
            opened = weights.open if channels[channel] == "email" else 0.0
            for clicked in (0, 1):
                gain = weights.click * clicked + opened - cost
                for left in (0, 1):
                    share = complaints[channel] if left else 0.0
                    losses = [(1.0 - share, weights.consent_value * left)]
                    losses += [(share, weights.consent_value + weights.complaint)] if share else []
                    for ordered in (0, 1):
                        seen[row, clicked, ordered, left] = sum(
                            probability * _mean_reward(gain - loss, weights, ordered=bool(ordered))
                            for probability, loss in losses
                        )
        return cls(seen, np.clip(-rulebook.costs, -weights.max, weights.max))

    def expected(self, probabilities: FloatArray, seen: FloatArray) -> FloatArray:
        """Give expected rewards (n,)."""
        return np.asarray((probabilities * self.seen).sum(axis=(1, 2, 3)) + (1.0 - seen) * self.unseen)


def _mean_reward(base: float, weights: Reward, *, ordered: bool) -> float:
    """Give E[clip(base + margin * V, ±max)] for log-normal order values V; without an order, of the base alone.

    >>> round(_mean_reward(0.1, Reward(max=1e6), ordered=True), 2)
    34.87
    >>> _mean_reward(-30.0, Reward(max=20.0), ordered=False)
    -20.0
    """
    if not ordered or weights.margin == 0.0:
        return max(-weights.max, min(weights.max, base))
    low, high = ((bound - base) / weights.margin for bound in (-weights.max, weights.max))
    return base + weights.margin * (limited_value(high) + max(low, 0.0) * _below(low) - _partial(low))


def _below(value: float) -> float:
    """P(V < value)."""
    return 0.0 if value <= 0.0 else _normal((math.log(value) - of.VALUE_LOG_MEAN) / of.VALUE_LOG_SD)


def _partial(value: float) -> float:
    """E[V; V < value]."""
    if value <= 0.0:
        return 0.0
    mean = math.exp(of.VALUE_LOG_MEAN + of.VALUE_LOG_SD**2 / 2)
    return mean * _normal((math.log(value) - of.VALUE_LOG_MEAN) / of.VALUE_LOG_SD - of.VALUE_LOG_SD)


def limited_value(value: float) -> float:
    """Give E[min(V, value)] for log-normal order values V.

    >>> round(limited_value(1e9), 2)
    115.91
    """
    return _partial(value) + value * (1.0 - _below(value)) if value > 0.0 else value


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
