"""The courier between a shop and a world: decisions become sends, what happens becomes outcomes, all is recorded."""

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
from simulators.parameters import warmth
from simulators.shops.base import Arrival, Outcome
from simulators.world.deliveries import Sends
from simulators.world.expected_reward import ExpectedReward
from simulators.world.tick import Rows, Tick, TickOutcomes
from simulators.world.world import World
from simulators.world.world_state import seconds


@dataclass
class DecisionOutcomes:
    """What became of one decision.

    ``reached`` tells whether the send was delivered; ``expected`` is its reward with click, order and opt-out
    replaced by their true probabilities at the moment when it was seen: the same mean without their noise.
    """

    event_id: str
    at: float
    shopper: str
    action: JointAction | None
    outcomes: list[Outcome] = field(default_factory=list)
    reached: bool = False
    expected: float = 0.0

    def reward(self, catalogue: Catalogue) -> float:
        """Give the realised reward; a hold, or a send that never left, has none."""
        if self.action is None or not self.reached:
            return 0.0
        rows = [OutcomeRow(each.at, "", each.type, each.at, each.value) for each in self.outcomes]
        cost = catalogue.channels[self.action.channel].cost + catalogue.messages[self.action.message].cost
        return reward_of(rows, catalogue.reward, cost).reward

    def had(self, kind: str) -> bool:
        """Tell whether an outcome of a type came."""
        return any(outcome.type == kind for outcome in self.outcomes)


class DecisionLog:
    """Carries sends into a world and outcomes out of it.

    Parameters
    ----------
    world
        Made with ``Repertoire.of(rulebook)``, so that numbers mean the same.
    """

    def __init__(self, world: World, rulebook: Rulebook) -> None:
        self._world = world
        self._messages = {name: number for number, name in enumerate(rulebook.space.messages)}
        self._channels = {name: number for number, name in enumerate(rulebook.space.channels)}
        self._numbers: dict[JointAction | None, int] = {rulebook.space[n]: n for n in range(len(rulebook.space))}
        self._worth = ExpectedReward.of(rulebook)
        self._answered = {name: frozenset(message.triggers) for name, message in rulebook.catalogue.messages.items()}
        self.records: list[DecisionOutcomes] = []

    def send(
        self, arrivals: Sequence[Arrival], actions: Sequence[JointAction | None], shoppers: Sequence[int]
    ) -> Sends | None:
        """DecisionOutcomes decisions and hand the sends to the world; give those, None for none."""
        first = len(self.records)
        self.records += [
            DecisionOutcomes(arrival.event_id, arrival.at, arrival.shopper_id, action)
            for arrival, action in zip(arrivals, actions, strict=True)
        ]
        drawn = [(first + n, shoppers[n], action) for n, action in enumerate(actions) if action is not None]
        if not drawn:
            return None
        sends = Sends(
            tickets=np.array([ticket for ticket, _, _ in drawn]),
            shoppers=np.array([shopper for _, shopper, _ in drawn]),
            messages=np.array([self._messages[action.message] for _, _, action in drawn]),
            channels=np.array([self._channels[action.channel] for _, _, action in drawn]),
            delays_h=np.array([action.delay_s / 3_600.0 for _, _, action in drawn]),
            warmth=np.array([self._warmth(arrivals[ticket - first], action) for ticket, _, action in drawn]),
        )
        self._world.send(sends)
        return sends

    def _warmth(self, arrival: Arrival, action: JointAction) -> float:
        """Give how welcome a message is on the warmest of the occasions that it answers."""
        answered = self._answered[action.message]
        return max((warmth(each.type) for each in arrival.happenings if each.type in answered), default=0.0)

    def outcomes(self, hour: Tick) -> list[Outcome]:
        """Give what became known in an hour, in the order of time within each type."""
        told = [each for outcomes in hour.outcomes for each in self._told(outcomes)]
        for tickets, chances in hour.chances:
            numbers = self._rows(tickets)
            rewards = (chances.joint() * self._worth.seen[numbers]).sum(axis=(1, 2, 3))
            for ticket, reward in zip(tickets.tolist(), rewards.tolist(), strict=True):
                self.records[ticket].expected = reward
        return told

    def _rows(self, tickets: Rows) -> Rows:
        """Give the joint action numbers of sends."""
        return np.array([self._numbers[self.records[ticket].action] for ticket in tickets.tolist()])

    def _told(self, outcomes: TickOutcomes) -> list[Outcome]:
        values = np.zeros(len(outcomes.tickets)) if outcomes.values is None else outcomes.values
        given = []
        for ticket, at, value in zip(outcomes.tickets.tolist(), outcomes.at.tolist(), values.tolist(), strict=True):
            record = self.records[ticket]
            told = Outcome(record.event_id, outcomes.kind, seconds(self._world.scenario, at), value)
            record.outcomes.append(told)
            if outcomes.kind in ARRIVALS:
                record.reached = True
                record.expected = float(self._worth.unseen[self._numbers[record.action]])
            given.append(told)
        return given
