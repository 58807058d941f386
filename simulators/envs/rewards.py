"""The rewards of the environments, realised and expected, by the default reward weights of the API."""

from __future__ import annotations

import numpy as np

from simulators import parameters
from simulators.arrays import FloatArray, Indices
from simulators.envs.actions import ALL_SENDS, HOLD, REWARD, SENDS, action_rulebook
from simulators.parameters import trigger_warmth
from simulators.shoppers.response import Chances
from simulators.world.expected_reward import mean_limited_value
from simulators.world.messages import STANDARD
from simulators.world.truth import Truth
from simulators.world.world import World

_MEAN_ORDER = REWARD.margin * mean_limited_value(REWARD.max / REWARD.margin)
_LOSSES = REWARD.consent_value + REWARD.complaint * STANDARD.channels.complaints
"""Expected loss of an opt-out, of which some are complaints, by channel."""


def message_warmth(triggers: tuple[str, ...]) -> FloatArray:
    """Return how welcome each trigger makes each message, (messages, triggers); 0 for one it does not answer."""
    return np.array(
        [[trigger_warmth(kind) * (kind in answered) for kind in triggers] for answered in STANDARD.triggers]
    )


def expected_reward(p: Chances, channels: Indices) -> FloatArray:
    """Return the expected rewards of seen messages, (n,), without the costs of their sends."""
    orders = p.click * p.order + (1.0 - p.click) * p.return_visit * p.order_on_return
    out = p.opt_out * (1.0 - p.click * (1.0 - parameters.OPT_OUT_FACTOR_AFTER_CLICK))
    return np.asarray(REWARD.click * p.click + _MEAN_ORDER * orders - _LOSSES[channels] * out)


def realised_reward(kind: str, values: FloatArray | None) -> FloatArray | float:
    """Return the reward of outcomes of one type: one for each value of an order, or the same for all."""
    if kind == "conversion" and values is not None:
        return np.minimum(REWARD.margin * values, REWARD.max)
    rewards = {
        "click": REWARD.click,
        "opt_out": -REWARD.consent_value,
        "complaint": -REWARD.consent_value - REWARD.complaint,
    }
    return rewards.get(kind, 0.0)


def action_values(world: World, warmth: FloatArray) -> FloatArray:
    """Return the true expected reward of every action if nothing else is sent, (N, actions); 0 for HOLD.

    Parameters
    ----------
    warmth
        How welcome each message is to each shopper now, (N, messages).
    """
    truth, values = Truth(world, action_rulebook()), np.zeros((len(warmth), SENDS + 1))
    for shopper, warm in enumerate(warmth.tolist()):
        prospects = truth.prospects(shopper, dict(enumerate(warm)))
        gains = REWARD.click * prospects.click + _MEAN_ORDER * prospects.order
        values[shopper, :HOLD] = gains - _LOSSES[ALL_SENDS.channels] * prospects.out - ALL_SENDS.costs
    return values
