"""The actions of the environments: the messages, channels and delays of `STANDARD`, numbered as joint actions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.document import Catalogue, Reward
from policies.catalogue.rulebook import Rulebook
from simulators.arrays import Indices
from simulators.world.messages import STANDARD

DELAYS_H = (0.0, 2.0, 8.0, 11.0, 14.0)
CHANNELS = STANDARD.channels.names
SENDS = len(STANDARD.names) * len(CHANNELS) * len(DELAYS_H)
HOLD = SENDS
DAILY = "daily"
"""The trigger of every decision of an environment: another day has begun."""
REWARD = Reward()
"""The default reward weights of the API."""


@dataclass(frozen=True)
class Slots:
    """Action numbers of sends as message, channel and delay numbers, as columns (n,)."""

    messages: Indices
    channels: Indices
    delays: Indices

    @classmethod
    def of(cls, actions: Indices) -> Slots:
        """Return the slots of action numbers.

        >>> Slots.of(np.array([27])).messages, Slots.of(np.array([27])).channels, Slots.of(np.array([27])).delays
        (array([1]), array([0]), array([2]))
        """
        rest, delays = np.divmod(actions, len(DELAYS_H))
        messages, channels = np.divmod(rest, len(CHANNELS))
        return cls(messages, channels, delays)

    @property
    def costs(self) -> NDArray[np.float64]:
        """What the sends cost, (n,)."""
        return np.asarray(STANDARD.costs[self.messages, self.channels])


ALL_SENDS = Slots.of(np.arange(SENDS))
"""The slots of every send, by its action number."""


def describe_action(action: int) -> str:
    """Return an action in words.

    >>> describe_action(27), describe_action(200)
    ('cart_offer by push after 8 h', 'hold')
    """
    if action == HOLD:
        return "hold"
    message, channel, delay = (column[action] for column in (ALL_SENDS.messages, ALL_SENDS.channels, ALL_SENDS.delays))
    return f"{STANDARD.names[message]} by {CHANNELS[channel]} after {DELAYS_H[delay]:g} h"


@cache
def action_rulebook() -> Rulebook:
    """Return the actions as a catalogue, in which the number of a joint action is that of the action.

    >>> action_rulebook().space[27]
    JointAction(message='cart_offer', channel='push', delay_s=28800)
    """
    of_channels = STANDARD.costs.min(axis=0)
    of_messages = (STANDARD.costs - of_channels)[:, 0]  # a send costs what its channel costs, and what an offer costs
    templates = {channel: {"en": {"title": "{{ shop }}", "body": "{{ shop }}"}} for channel in CHANNELS}
    document = {
        "delays_s": [int(delay * 3_600) for delay in DELAYS_H],
        "channels": {
            channel: {"cost": cost, "attribution_window_s": 86_400}
            for channel, cost in zip(CHANNELS, of_channels.tolist(), strict=True)
        },
        "triggers": {DAILY: {"expires_s": 86_400}},
        "messages": {
            name: {"category": category, "cost": cost, "triggers": [DAILY], "templates": templates}
            for name, category, cost in zip(STANDARD.names, STANDARD.categories, of_messages.tolist(), strict=True)
        },
    }
    return Rulebook.of(Catalogue.from_document(document), version=1)


def choose_surely(actions: Indices, mask: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return distributions that choose these actions, and HOLD where an action is illegal, (N, 201).

    >>> choose_surely(np.array([0, 1]), np.array([[1, 1, 1], [1, 0, 1]], dtype=np.int8))
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    rows = np.arange(len(actions))
    legal = np.where(mask[rows, actions] > 0, actions, mask.shape[1] - 1)
    p = np.zeros(mask.shape)
    p[rows, legal] = 1.0
    return p
