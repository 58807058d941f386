"""Days: the world in steps of one decision per shopper and day, as reinforcement learning likes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.document import Reward
from simulators import parameters as of
from simulators.parameters import warmth
from simulators.scenario import Scenario
from simulators.world.deliveries import Sends
from simulators.world.expected_reward import limited_value
from simulators.world.messages import STANDARD
from simulators.world.tick import Tick
from simulators.world.world import World

FloatArray = NDArray[np.float64]

DECIDES_AT = 8
DELAYS_H = (0.0, 2.0, 8.0, 11.0, 14.0)
TRIGGERS = (
    *("cart_abandoned", "product_viewed", "wishlist", "price_drop", "back_in_stock", "low_stock"),
    *("post_purchase", "review_request", "replenishment", "win_back", "welcome"),
)
CHANNELS = STANDARD.channels.names
SENDS = len(STANDARD.messages) * len(CHANNELS) * len(DELAYS_H)
HOLD = SENDS
OBSERVED = 3 + 2 * len(CHANNELS) + 3 + len(TRIGGERS) + 1
REWARD = Reward()
"""The weights of the API's defaults."""

_REMEMBERED_H = 24
_MEAN_ORDER = REWARD.margin * limited_value(REWARD.max / REWARD.margin)
_WARMTH = np.array(
    [[warmth(kind) * (kind in own) for kind in TRIGGERS] for own in STANDARD.triggers]
)  # (messages, triggers)


@dataclass(frozen=True)
class Slots:
    """What action numbers mean, each (n,): message, channel, delay; only for sends."""

    messages: NDArray[np.int64]
    channels: NDArray[np.int64]
    delays: NDArray[np.int64]

    @classmethod
    def of(cls, actions: NDArray[np.int64]) -> Slots:
        """Split action numbers.

        >>> Slots.of(np.array([27])).messages, Slots.of(np.array([27])).channels, Slots.of(np.array([27])).delays
        (array([1]), array([0]), array([2]))
        """
        rest, delays = np.divmod(actions, len(DELAYS_H))
        messages, channels = np.divmod(rest, len(CHANNELS))
        return cls(messages, channels, delays)


class Days:
    """A world that is asked once a day, at 8 h, what to send to each of its shoppers.

    Parameters
    ----------
    expected
        Whether rewards are the true expectations at the moment of seeing, or what was realised.

    Attributes
    ----------
    illegal
        (N,), whether the latest actions were not legal.
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
        self._owner, self._channel = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self.illegal = np.zeros(shoppers, dtype=np.bool_)
        self._pass(DECIDES_AT)
        self._rewards[:] = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether the calendar has no further day."""
        return self._world.tick + 24 > self._world.scenario.hours

    def mask(self) -> NDArray[np.int8]:
        """Give the legal actions, (N, SENDS + 1): channels with consent, and always HOLD."""
        channels = Slots.of(np.arange(SENDS)).channels
        legal = np.ones((len(self._rewards), SENDS + 1), dtype=np.int8)
        legal[:, :SENDS] = self._world.consent[:, channels]
        return legal

    def observe(self) -> NDArray[np.float32]:
        """Give what a shop may know of each shopper, (N, OBSERVED)."""
        world, tick = self._world, self._world.tick
        angle = 2.0 * math.pi * (tick // 24 % 7) / 7.0
        count = len(self._rewards)
        return np.concatenate(
            [
                np.tile([math.sin(angle), math.cos(angle), tick / world.scenario.hours], (count, 1)),
                world.consent,
                self._sent.sum(axis=0) / 7.0,
                np.minimum((tick - self._sent_at) / 168.0, 1.0)[:, None],
                np.minimum(self._clicks, 1.0)[:, None],
                np.minimum(self._orders, 1.0)[:, None],
                tick - self._triggered_at <= _REMEMBERED_H,
                world.population.mobile[:, None],
            ],
            axis=1,
        ).astype(np.float32)

    def step(self, actions: NDArray[np.int64]) -> FloatArray:
        """Send, let a day pass, and give the rewards (N,) that it brought.

        An action that is not legal sends nothing, as HOLD does: who withdrew consent is never reached.

        Raises
        ------
        ValueError
            When an action is no number of a send or of HOLD.
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
        self._pass(24)
        return self._rewards.copy()

    def _send(self, shoppers: NDArray[np.int64], slots: Slots) -> None:
        first = len(self._owner)
        self._owner = np.concatenate([self._owner, shoppers])
        self._channel = np.concatenate([self._channel, slots.channels])
        self._sent[0, shoppers, slots.channels] = 1
        self._sent_at[shoppers] = self._world.tick
        live = self._world.tick - self._triggered_at[shoppers] <= _REMEMBERED_H
        warm = (_WARMTH[slots.messages] * live).max(axis=1)
        delays = np.asarray(DELAYS_H)[slots.delays]
        tickets = np.arange(first, first + len(shoppers))
        self._world.send(Sends(tickets, shoppers, slots.messages, slots.channels, delays, warm))
        self._rewards[shoppers] -= self._world.repertoire.costs[slots.messages, slots.channels]

    def _pass(self, hours: int) -> None:
        # Clicks of four weeks and orders of three months, fading; a tenth for each.
        self._clicks *= math.exp(-hours / (28 * 24.0))
        self._orders *= math.exp(-hours / (90 * 24.0))
        for _ in range(hours):
            self._hear(self._world.step())

    def _hear(self, hour: Tick) -> None:
        for triggers in hour.triggers:
            if triggers.kind in TRIGGERS:
                self._triggered_at[triggers.shoppers, TRIGGERS.index(triggers.kind)] = hour.tick
        for events in hour.events:
            if events.kind == "purchase":
                self._orders[events.shoppers] += 0.1
        for outcomes in hour.outcomes:
            owners = self._owner[outcomes.tickets]
            if outcomes.kind == "click":
                np.add.at(self._clicks, owners, 0.1)
            if not self._expected:
                np.add.at(self._rewards, owners, _realised(outcomes.kind, outcomes.values))
        if self._expected:
            for tickets, p in hour.chances:
                orders = p.click * p.order + (1.0 - p.click) * p.returns * p.returned_order
                out = p.out * (1.0 - p.click * (1.0 - of.OUT_IF_CLICKED))
                loss = REWARD.consent_value + REWARD.complaint * STANDARD.channels.complaints[self._channel[tickets]]
                gain = REWARD.click * p.click + _MEAN_ORDER * orders - loss * out
                np.add.at(self._rewards, self._owner[tickets], gain)


def _realised(kind: str, values: FloatArray | None) -> FloatArray | float:
    if kind == "conversion" and values is not None:
        return np.minimum(REWARD.margin * values, REWARD.max)
    rewards = {
        "click": REWARD.click,
        "opt_out": -REWARD.consent_value,
        "complaint": -REWARD.consent_value - REWARD.complaint,
    }
    return rewards.get(kind, 0.0)
