"""The log between a shop and a world: turns decisions into sends, and what happened into outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from policies.catalogue.action_space import JointAction
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.learning.reward import reward_of
from policies.records.outcomes import ARRIVALS
from policies.records.rows import OutcomeRow
from simulators.arrays import Indices
from simulators.shops.base import Arrival, Outcome
from simulators.world.deliveries import Sends
from simulators.world.expected_reward import ExpectedReward
from simulators.world.tick import Tick, TickOutcomes
from simulators.world.world import World
from simulators.world.world_state import epoch_seconds


@dataclass(slots=True)
class DecisionOutcomes:
    """One decision and its outcomes.

    Attributes
    ----------
    delivered
        Whether the send was delivered.
    expected
        The reward with click, order and opt-out replaced by their true probabilities when the message was seen: the
        same mean as the realised reward, without the noise of the reactions.
    seen_h
        The hour of the calendar in which the message was seen, None while it was not.
    p_click, p_out
        The true probabilities of a click, and of an opt-out or a complaint, when the message was seen; 0 before.
    """

    event_id: str
    at: float
    shopper: str
    action: JointAction | None
    outcomes: list[Outcome] = field(default_factory=list)
    delivered: bool = False
    expected: float = 0.0
    seen_h: int | None = None
    p_click: float = 0.0
    p_out: float = 0.0

    def reward(self, catalogue: Catalogue) -> float:
        """Return the realised reward; 0 for HOLD and for a send that was not delivered."""
        if self.action is None or not self.delivered:
            return 0.0
        rows = [
            OutcomeRow(at=outcome.at, event_id="", type=outcome.type, occurred_at=outcome.at, value=outcome.value)
            for outcome in self.outcomes
        ]
        cost = catalogue.channels[self.action.channel].cost + catalogue.messages[self.action.message].cost
        return reward_of(rows, catalogue.reward, cost).reward

    def has_outcome(self, kind: str) -> bool:
        return any(outcome.type == kind for outcome in self.outcomes)


class DecisionLog:
    """Carries sends into a world and outcomes out of it, and records both.

    Parameters
    ----------
    world
        A world with the messages ``Messages.of(rulebook)``, so that world and catalogue number messages alike.
    """

    def __init__(self, world: World, rulebook: Rulebook) -> None:
        self._world = world
        self._messages = {name: number for number, name in enumerate(rulebook.space.messages)}
        self._channels = {name: number for number, name in enumerate(rulebook.space.channels)}
        self._numbers: dict[JointAction | None, int] = {rulebook.space[n]: n for n in range(len(rulebook.space))}
        self._expected_reward = ExpectedReward.of(rulebook, world.scenario.parameters)
        self._traits = world.scenario.parameters.triggers
        self._triggers_of = {name: frozenset(message.triggers) for name, message in rulebook.catalogue.messages.items()}
        self.records: list[DecisionOutcomes] = []

    def send(
        self, arrivals: Sequence[Arrival], actions: Sequence[JointAction | None], shoppers: Sequence[int]
    ) -> Sends | None:
        """Record decisions, hand their sends to the world, and return the sends; None for none."""
        first = len(self.records)
        self.records += [
            DecisionOutcomes(arrival.event_id, arrival.at, arrival.shopper_id, action)
            for arrival, action in zip(arrivals, actions, strict=True)
        ]
        chosen = [(first + n, shoppers[n], action) for n, action in enumerate(actions) if action is not None]
        if not chosen:
            return None
        sends = Sends(
            tickets=np.array([ticket for ticket, _, _ in chosen]),
            shoppers=np.array([shopper for _, shopper, _ in chosen]),
            messages=np.array([self._messages[action.message] for _, _, action in chosen]),
            channels=np.array([self._channels[action.channel] for _, _, action in chosen]),
            delays_h=np.array([action.delay_s / 3_600.0 for _, _, action in chosen]),
            warmth=np.array([self._warmth(arrivals[ticket - first], action) for ticket, _, action in chosen]),
        )
        self._world.send(sends)
        return sends

    def _warmth(self, arrival: Arrival, action: JointAction) -> float:
        """Return the largest warmth of the arrival's triggers that the message answers; 0 in a campaign."""
        if arrival.campaign:
            return 0.0
        answered = self._triggers_of[action.message]
        warmths = (self._traits.warmth(trigger.type) for trigger in arrival.triggers if trigger.type in answered)
        return max(warmths, default=0.0)

    def collect_outcomes(self, tick: Tick, reported: Tick) -> list[Outcome]:
        """Record the outcomes of an hour, and return the outcomes that are reported to the shop.

        Both are in the order of time within each type.

        Parameters
        ----------
        reported
            The report of the hour: see `Reporting.report`.
        """
        outcomes = [outcome for of_type in tick.outcomes for outcome in self._record(of_type)]
        for tickets, chances in tick.chances:
            numbers = self._action_numbers(tickets)
            rewards = (chances.joint() * self._expected_reward.seen[numbers]).sum(axis=(1, 2, 3))
            columns = (rewards, chances.click, chances.withdrawals)
            for ticket, *of_ticket in zip(tickets.tolist(), *(column.tolist() for column in columns), strict=True):
                record = self.records[ticket]
                record.expected, record.p_click, record.p_out = of_ticket
                record.seen_h = tick.hour
        if reported is tick:
            return outcomes
        return [outcome for of_type in reported.outcomes for outcome in self._outcomes(of_type)]

    def _action_numbers(self, tickets: Indices) -> Indices:
        """Return the joint action numbers of sends."""
        return np.array([self._numbers[self.records[ticket].action] for ticket in tickets.tolist()])

    def _record(self, of_type: TickOutcomes) -> list[Outcome]:
        outcomes = self._outcomes(of_type)
        for ticket, outcome in zip(of_type.tickets.tolist(), outcomes, strict=True):
            record = self.records[ticket]
            record.outcomes.append(outcome)
            if of_type.kind in ARRIVALS:
                record.delivered = True
                record.expected = float(self._expected_reward.unseen[self._numbers[record.action]])
        return outcomes

    def _outcomes(self, of_type: TickOutcomes) -> list[Outcome]:
        values = np.zeros(len(of_type.tickets)) if of_type.values is None else of_type.values
        columns = zip(of_type.tickets.tolist(), of_type.at.tolist(), values.tolist(), strict=True)
        scenario, kind = self._world.scenario, of_type.kind
        return [
            Outcome(self.records[ticket].event_id, kind, epoch_seconds(scenario, at), value)
            for ticket, at, value in columns
        ]
