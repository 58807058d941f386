"""The expected reward of reactions, by the reward weights of a catalogue, as a mean over order values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from policies.catalogue.document import Reward
from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.scenarios.parameters import Parameters


@dataclass(frozen=True)
class ExpectedReward:
    """Mean rewards of the n joint actions of a catalogue.

    Attributes
    ----------
    seen
        For a message that is seen, by click, kept order and opt-out (0 no, 1 yes), (n, 2, 2, 2). An order that is sent
        back counts like no order.
    unseen
        For a message that is never seen, (n,).
    """

    seen: FloatArray
    unseen: FloatArray

    @classmethod
    def of(cls, rulebook: Rulebook, parameters: Parameters) -> ExpectedReward:
        weights, space = rulebook.catalogue.reward, rulebook.space
        sends, number_of = np.unique(np.stack([space.channel_of, rulebook.costs]), axis=1, return_inverse=True)
        seen = [_reactions_on(space.channels[int(channel)], cost, weights, parameters) for channel, cost in sends.T]
        return cls(np.stack(seen)[number_of], np.clip(-rulebook.costs, -weights.max, weights.max))


def _reactions_on(channel: str, cost: float, weights: Reward, parameters: Parameters) -> FloatArray:
    """Return the mean rewards of the reactions to a seen message of a channel, (2, 2, 2): see `ExpectedReward.seen`."""
    complaints = parameters.channel(channel).complaints
    opened = weights.open if channel == "email" else 0.0
    seen = np.zeros((2, 2, 2))
    for clicked, ordered, left in np.ndindex(seen.shape):
        gain = weights.click * clicked + opened - cost
        order_gain = weights.margin * ordered * (1.0 if clicked else weights.view_through)
        share = complaints if left else 0.0
        losses = [(1.0 - share, weights.consent_value * left)]
        losses += [(share, weights.consent_value + weights.complaint)] if share else []
        seen[clicked, ordered, left] = sum(
            probability * _mean_reward(gain - loss, order_gain, weights.max, parameters) for probability, loss in losses
        )
    return seen


def _mean_reward(base: float, order_gain: float, most: float, parameters: Parameters) -> float:
    """Return E[clip(base + order_gain * V, ±most)] for log-normal order values V.

    >>> round(_mean_reward(0.1, 0.3, 1e6, Parameters()), 2)
    34.87
    >>> _mean_reward(-30.0, 0.0, 20.0, Parameters())
    -20.0
    """
    if order_gain == 0.0:
        return max(-most, min(most, base))
    low, high = ((bound - base) / order_gain for bound in (-most, most))
    below = max(low, 0.0) * _probability_below(low, parameters) - _mean_below(low, parameters)
    limited = mean_limited_value(high, parameters) + below
    return base + order_gain * limited


def mean_limited_value(limit: float, parameters: Parameters) -> float:
    """Return E[min(V, limit)] for log-normal order values V.

    >>> round(mean_limited_value(1e9, Parameters()), 2)
    115.91
    """
    if limit <= 0.0:
        return limit
    return _mean_below(limit, parameters) + limit * (1.0 - _probability_below(limit, parameters))


def _probability_below(value: float, parameters: Parameters) -> float:
    """Return P(V < value)."""
    if value <= 0.0:
        return 0.0
    return _normal_cdf((math.log(value) - parameters.value_log_mean) / parameters.value_log_sd)


def _mean_below(value: float, parameters: Parameters) -> float:
    """Return E[V; V < value]."""
    if value <= 0.0:
        return 0.0
    z = (math.log(value) - parameters.value_log_mean) / parameters.value_log_sd
    return parameters.mean_order_value * _normal_cdf(z - parameters.value_log_sd)


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
