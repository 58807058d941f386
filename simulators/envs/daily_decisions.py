"""The world in steps of one decision per shopper and day: the core of the environments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.document import Reward
from simulators.arrays import FloatArray, Indices
from simulators.parameters import PARAMETERS
from simulators.scenario import Scenario
from simulators.shoppers.response import Chances
from simulators.trigger_traits import trigger_warmth
from simulators.world.deliveries import Sends
from simulators.world.expected_reward import mean_limited_value
from simulators.world.messages import STANDARD
from simulators.world.tick import Tick
from simulators.world.world import World

DECISION_HOUR = 8
DELAYS_H = (0.0, 2.0, 8.0, 11.0, 14.0)
TRIGGERS = (
    *("cart_abandoned", "product_viewed", "wishlist", "price_drop", "back_in_stock", "low_stock"),
    *("post_purchase", "review_request", "replenishment", "win_back", "welcome"),
)
CHANNELS = STANDARD.channels.names
SENDS = len(STANDARD.names) * len(CHANNELS) * len(DELAYS_H)
HOLD = SENDS
OBSERVED = 3 + 2 * len(CHANNELS) + 3 + len(TRIGGERS) + 1
REWARD = Reward()
"""The default reward weights of the API."""

_TRIGGER_MEMORY_H = 24
_MEAN_ORDER = REWARD.margin * mean_limited_value(REWARD.max / REWARD.margin, PARAMETERS)
_WARMTH = np.array(
    [[trigger_warmth(kind) * (kind in answered) for kind in TRIGGERS] for answered in STANDARD.triggers]
)  # (messages, triggers)


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


class DailyDecisions:
    """A world with one decision per day, at 8 h, for each of its shoppers.

    Parameters
    ----------
    expected
        Whether rewards are the true expectations when messages are seen, or the realised rewards.

    Attributes
    ----------
    illegal
        Whether the latest actions were illegal, (N,).
    """

    def __init__(self, scenario: Scenario, shoppers: int, seed: int, *, expected: bool) -> None:
        self._world = World(scenario, shoppers, seed)
        self._expected = expected
        self._rewards = np.zeros(shoppers)
        self._triggered_at = np.full((shoppers, len(TRIGGERS)), -np.inf)
        self._sent = np.zeros((7, shoppers, len(CHANNELS)), dtype=np.int8)
        self._sent_at = np.full(shoppers, -np.inf)
        self._clicks = np.zeros(shoppers)
        self._orders = np.zeros(shoppers)
        self._shopper_of, self._channel_of = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self.illegal = np.zeros(shoppers, dtype=np.bool_)
        self._advance(DECISION_HOUR)
        self._rewards[:] = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether the calendar has no further whole day."""
        return self._world.hour + 24 > self._world.scenario.hours

    def mask(self) -> NDArray[np.int8]:
        """Return the legal actions, (N, SENDS + 1): sends on channels with consent, and HOLD."""
        channels = Slots.of(np.arange(SENDS)).channels
        legal = np.ones((len(self._rewards), SENDS + 1), dtype=np.int8)
        legal[:, :SENDS] = self._world.consent[:, channels]
        return legal

    def observe(self) -> NDArray[np.float32]:
        """Return the observation of each shopper, (N, OBSERVED): facts that a shop can know."""
        world, hour = self._world, self._world.hour
        angle = 2.0 * math.pi * (hour // 24 % 7) / 7.0
        count = len(self._rewards)
        return np.concatenate(
            [
                np.tile([math.sin(angle), math.cos(angle), hour / world.scenario.hours], (count, 1)),
                world.consent,
                self._sent.sum(axis=0) / 7.0,
                np.minimum((hour - self._sent_at) / 168.0, 1.0)[:, None],
                np.minimum(self._clicks, 1.0)[:, None],
                np.minimum(self._orders, 1.0)[:, None],
                hour - self._triggered_at <= _TRIGGER_MEMORY_H,
                world.population.mobile[:, None],
            ],
            axis=1,
        ).astype(np.float32)

    def step(self, actions: Indices) -> FloatArray:
        """Send, let a day pass, and return the rewards of the day, (N,).

        An illegal action sends nothing, like HOLD: no shopper gets a message without consent.

        Raises
        ------
        ValueError
            When an action is not the number of a send or of HOLD.
        """
        actions = np.asarray(actions, dtype=np.int64)
        if actions.shape != self._rewards.shape or actions.min() < 0 or actions.max() > HOLD:
            raise ValueError(f"actions must be {len(self._rewards)} numbers from 0 to {HOLD}")
        self.illegal = self.mask()[np.arange(len(actions)), actions] == 0
        self._sent = np.roll(self._sent, 1, axis=0)
        self._sent[0] = 0
        self._rewards[:] = 0.0
        chosen = np.flatnonzero((actions != HOLD) & ~self.illegal)
        if len(chosen):
            self._send(chosen, Slots.of(actions[chosen]))
        self._advance(24)
        return self._rewards.copy()

    def _send(self, shoppers: Indices, slots: Slots) -> None:
        first = len(self._shopper_of)
        self._shopper_of = np.concatenate([self._shopper_of, shoppers])
        self._channel_of = np.concatenate([self._channel_of, slots.channels])
        self._sent[0, shoppers, slots.channels] = 1
        self._sent_at[shoppers] = self._world.hour
        is_recent = self._world.hour - self._triggered_at[shoppers] <= _TRIGGER_MEMORY_H
        warm = (_WARMTH[slots.messages] * is_recent).max(axis=1)
        delays = np.asarray(DELAYS_H)[slots.delays]
        tickets = np.arange(first, first + len(shoppers))
        self._world.send(Sends(tickets, shoppers, slots.messages, slots.channels, delays, warm))
        self._rewards[shoppers] -= self._world.messages.costs[slots.messages, slots.channels]

    def _advance(self, hours: int) -> None:
        # Recent clicks and orders count a tenth each, and fade with 28 and 90 days.
        self._clicks *= math.exp(-hours / (28 * 24.0))
        self._orders *= math.exp(-hours / (90 * 24.0))
        for _ in range(hours):
            self._observe_tick(self._world.step())

    def _observe_tick(self, tick: Tick) -> None:
        for triggers in tick.triggers:
            if triggers.kind in TRIGGERS:
                self._triggered_at[triggers.shoppers, TRIGGERS.index(triggers.kind)] = tick.hour
        for events in tick.events:
            if events.kind == "purchase":
                self._orders[events.shoppers] += 0.1
        for outcomes in tick.outcomes:
            shoppers = self._shopper_of[outcomes.tickets]
            if outcomes.kind == "click":
                np.add.at(self._clicks, shoppers, 0.1)
            if not self._expected:
                np.add.at(self._rewards, shoppers, _realised_reward(outcomes.kind, outcomes.values))
        if self._expected:
            for tickets, chances in tick.chances:
                rewards = _expected_reward(chances, self._channel_of[tickets])
                np.add.at(self._rewards, self._shopper_of[tickets], rewards)


def _expected_reward(p: Chances, channels: Indices) -> FloatArray:
    loss = REWARD.consent_value + REWARD.complaint * STANDARD.channels.complaints[channels]
    return np.asarray(REWARD.click * p.click + _MEAN_ORDER * p.kept_orders - loss * p.withdrawals)


def _realised_reward(kind: str, values: FloatArray | None) -> FloatArray | float:
    if kind in ("conversion", "refund") and values is not None:
        gains = np.minimum(REWARD.margin * values, REWARD.max)
        return gains if kind == "conversion" else -gains
    rewards = {
        "click": REWARD.click,
        "opt_out": -REWARD.consent_value,
        "complaint": -REWARD.consent_value - REWARD.complaint,
    }
    return rewards.get(kind, 0.0)
