"""The world in steps of one decision per shopper and day: the core of the environments."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray, Indices
from simulators.envs.actions import ALL_SENDS, CHANNELS, DELAYS_H, HOLD, SENDS, Slots, action_rulebook
from simulators.envs.observations import TRIGGERS, RecentTriggers, ShopMemory
from simulators.envs.rewards import ExpectedRewards, message_warmth, realised_reward
from simulators.random_streams import Seeds
from simulators.reports.reporting import Reporting
from simulators.scenarios.scenario import Scenario
from simulators.truth.truth import Truth
from simulators.world.deliveries import Sends
from simulators.world.tick import Tick
from simulators.world.world import World

DECISION_HOUR = 8


def episode_steps(scenario: Scenario) -> int:
    """Return the number of decisions per shopper: one on each day but the last, whose effect would not be seen."""
    return scenario.weeks * 7 - 1


class DailyDecisions:
    """A world with one decision per day, at 8 h, for each of its shoppers.

    The observations are what is reported to the shop, by the rules of the scenario. Rewards and action values are what
    happens, so they are the same under all rules.

    Parameters
    ----------
    expected
        Whether rewards are the true expectations when messages are seen, or the realised rewards.

    Attributes
    ----------
    illegal
        Whether the latest actions were illegal, (N,).
    """

    def __init__(self, scenario: Scenario, shoppers: int, seeds: Seeds, *, expected: bool) -> None:
        self.world = World(scenario, shoppers, seeds)
        self.illegal = np.zeros(shoppers, dtype=np.bool_)
        self._warmth = message_warmth(TRIGGERS, scenario.parameters.triggers)
        self._means = ExpectedRewards.of(self.world)
        self._expected = expected
        self._rewards = np.zeros(shoppers)
        self._memory = ShopMemory(shoppers)
        self._reporting = Reporting(self.world)
        self._recent_triggers = RecentTriggers(shoppers)
        self._advance(DECISION_HOUR)

    @property
    def has_ended(self) -> bool:
        """Whether the calendar has no further whole day."""
        return self.world.hour + 24 > self.world.scenario.hours

    def mask(self) -> NDArray[np.int8]:
        """Return the legal actions, (N, SENDS + 1): sends on channels with consent, and HOLD."""
        legal = np.ones((len(self._rewards), SENDS + 1), dtype=np.int8)
        legal[:, :SENDS] = self.world.consent[:, ALL_SENDS.channels]
        return legal

    def observe(self) -> NDArray[np.float32]:
        """Return the observation of each shopper, (N, OBSERVED): facts that a shop can know."""
        return self._memory.observe(self.world).astype(np.float32)

    def action_values(self) -> FloatArray:
        """Return the true expected reward of every action for each shopper, (N, SENDS + 1); NaN where illegal."""
        recent = self._recent_triggers.at(self.world.hour)
        prospects = self._truth.prospects(np.arange(len(recent)), (self._warmth * recent[:, None]).max(axis=2))
        values = self._means.of_actions(prospects)
        return np.where(self.mask(), values, np.nan)

    @cached_property
    def _truth(self) -> Truth:
        return Truth(self.world, action_rulebook())

    def step(self, actions: NDArray[np.integer]) -> FloatArray:
        """Send, let a day pass, and return the rewards of the day, (N,).

        An illegal action sends nothing, like HOLD: no shopper gets a message without consent.

        Raises
        ------
        ValueError
            When an action is not the number of a send or of HOLD.
        """
        numbers = self._check(np.asarray(actions))
        senders = np.flatnonzero(numbers != HOLD)
        is_legal = self.world.consent[senders, Slots.of(numbers[senders]).channels]
        self.illegal = np.zeros(len(numbers), dtype=np.bool_)
        self.illegal[senders] = ~is_legal
        self._rewards = np.zeros(len(numbers))
        self._memory.begin_day()
        chosen = senders[is_legal]
        if len(chosen):
            self._send(chosen, Slots.of(numbers[chosen]))
        self._advance(24)
        return self._rewards

    def _check(self, actions: NDArray[Any]) -> Indices:
        if actions.dtype.kind not in "iu":
            raise ValueError(f"actions must be whole numbers, not {actions.dtype}")
        if actions.shape != self._rewards.shape or actions.min() < 0 or actions.max() > HOLD:
            raise ValueError(f"actions must be {len(self._rewards)} numbers from 0 to {HOLD}")
        return actions.astype(np.int64)

    def _send(self, shoppers: Indices, slots: Slots) -> None:
        hour = self.world.hour
        recent = self._recent_triggers.at(hour)[shoppers]
        self._memory.record_sends(hour, shoppers, slots.channels)
        warm = (self._warmth[slots.messages] * recent).max(axis=1)
        delays = np.asarray(DELAYS_H)[slots.delays]
        # A ticket says the hour, the shopper and the channel, so that no list of sends grows over the episode.
        tickets = (hour * len(self._rewards) + shoppers) * len(CHANNELS) + slots.channels
        sends = Sends(tickets, shoppers, slots.messages, slots.channels, delays, warm)
        self.world.send(sends)
        self._reporting.record_sends(sends)
        self._rewards[shoppers] -= slots.costs

    def _advance(self, hours: int) -> None:
        self._memory.pass_time(hours)
        for _ in range(hours):
            self._observe_tick(self.world.step())

    def _observe_tick(self, tick: Tick) -> None:
        self._recent_triggers.record_tick(tick)
        self._observe_report(self._reporting.report(tick))
        if self._expected:
            for tickets, chances in tick.chances:
                shoppers, channels = self._read_tickets(tickets)
                np.add.at(self._rewards, shoppers, self._means.of_reactions(chances, channels))
        else:
            for outcomes in tick.outcomes:
                shoppers, _ = self._read_tickets(outcomes.tickets)
                np.add.at(self._rewards, shoppers, realised_reward(outcomes.kind, outcomes.values))

    def _observe_report(self, report: Tick) -> None:
        self._memory.record_report(report)
        for outcomes in report.outcomes:
            if outcomes.kind == "click":
                shoppers, _ = self._read_tickets(outcomes.tickets)
                self._memory.record_clicks(shoppers)

    def _read_tickets(self, tickets: Indices) -> tuple[Indices, Indices]:
        """Return the shoppers and the channels of sends."""
        rest, channels = np.divmod(tickets, len(CHANNELS))
        return rest % len(self._rewards), channels
