"""The rewards of the environments, realised and expected, by the default reward weights of the API."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.arrays import FloatArray, Indices
from simulators.envs.actions import ALL_SENDS, HOLD, REWARD, SENDS
from simulators.scenarios.trigger_traits import TriggerTraits
from simulators.shoppers.response import Chances
from simulators.truth.prospects import Prospects
from simulators.world.expected_reward import mean_limited_value
from simulators.world.messages import STANDARD
from simulators.world.world import World


def message_warmth(triggers: tuple[str, ...], traits: TriggerTraits) -> FloatArray:
    """Return how welcome each trigger makes each message, (messages, triggers); 0 for one it does not answer."""
    return np.array([[traits.warmth(kind) * (kind in answered) for kind in triggers] for answered in STANDARD.triggers])


def realised_reward(kind: str, values: FloatArray | None) -> FloatArray | float:
    """Return the reward of outcomes of one type: one for each value of an order, or the same for all."""
    if kind in ("conversion", "refund") and values is not None:
        gains = np.minimum(REWARD.margin * values, REWARD.max)
        return gains if kind == "conversion" else -gains
    rewards = {
        "click": REWARD.click,
        "opt_out": -REWARD.consent_value,
        "complaint": -REWARD.consent_value - REWARD.complaint,
    }
    return rewards.get(kind, 0.0)


@dataclass(frozen=True)
class ExpectedRewards:
    """The means of the rewards in one world.

    Attributes
    ----------
    order
        Mean reward of an order that is kept.
    losses
        Mean loss by an opt-out, of which some are complaints, by channel, (C,).
    """

    order: float
    losses: FloatArray

    @classmethod
    def of(cls, world: World) -> ExpectedRewards:
        order = REWARD.margin * mean_limited_value(REWARD.max / REWARD.margin, world.scenario.parameters)
        return cls(order, REWARD.consent_value + REWARD.complaint * world.messages.channels.complaints)

    def of_reactions(self, p: Chances, channels: Indices) -> FloatArray:
        """Return the expected rewards of seen messages, (n,), without the costs of their sends."""
        return np.asarray(REWARD.click * p.click + self.order * p.kept_orders - self.losses[channels] * p.withdrawals)

    def of_actions(self, prospects: Prospects) -> FloatArray:
        """Return the true expected reward of every action if nothing else is sent, (N, actions); 0 for HOLD."""
        values = np.zeros((len(prospects.seen), SENDS + 1))
        gains = REWARD.click * prospects.click + self.order * prospects.kept_orders
        values[:, :HOLD] = gains - self.losses[ALL_SENDS.channels] * prospects.out - ALL_SENDS.costs
        return values
