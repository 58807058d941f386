"""Simulated logs: decisions of a shop that learns and has a floor, with the true expected reward of each joint action.

At each decision the simulator's probabilities give the expected reward of every eligible joint action (one step).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.log_in_memory import LoggedPolicySource, make_learner
from decision_service.catalogues.file import example
from decision_service.evaluation.log_decisions import EVALUATED, LogDecisions
from offline_eval.logs.decisions import LoggedDecision
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Policy
from policies.records.rows import DecisionRow, Row, unpack
from simulators.experiments.simulation import Simulation
from simulators.scenarios.scenario import find_scenario
from simulators.shops.base import Arrival, ConsentChange, Outcome, Shop, ShopperEvent
from simulators.shops.foresight import Foresight
from simulators.shops.local import LocalShop, PolicySource
from simulators.truth.truth import Truth
from simulators.world.messages import Messages
from simulators.world.world import World

Array = NDArray[np.float64]

DECISIONS = 20_000
"""Decisions with a choice in each log."""


class WatchedPolicySource:
    """Passes everything on to another policy source, and keeps the true expected rewards of each decision."""

    def __init__(self, inner: PolicySource, foresight: Foresight) -> None:
        self._inner, self._foresight = inner, foresight
        self.expected: dict[str, Array] = {}
        """Event id → expected reward of every joint action (n,), HOLD's 0 last."""
        self.choices = 0
        """The number of decisions with more than one eligible joint action."""

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        rewards = self._foresight.prospects(arrivals).reward
        for arrival, of_sends in zip(arrivals, rewards, strict=True):
            self.expected[arrival.event_id] = np.append(of_sends, 0.0)
        return self._inner.policy_for(arrivals)

    def fold(self, row: Row) -> None:
        self.choices += isinstance(row, DecisionRow) and len(unpack(row.probabilities, np.float64)) > 1
        self._inner.fold(row)

    def advance_clock(self, now: float) -> None:
        self._inner.advance_clock(now)


class StopAfterEnough:
    """A shop that decides until `DECISIONS` decisions had a choice, and afterwards only records outcomes.

    Orders come up to a week after a click, so a log that ends with its last decision lacks the last orders.
    """

    def __init__(self, inner: Shop, policy_source: WatchedPolicySource) -> None:
        self._inner, self._policy_source = inner, policy_source

    @property
    def _done(self) -> bool:
        return self._policy_source.choices >= DECISIONS

    def change_consent(self, changes: Sequence[ConsentChange], now: float) -> None:
        self._inner.change_consent(changes, now)

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        self._inner.record_outcomes(outcomes, now)

    def record_events(self, events: Sequence[ShopperEvent], now: float) -> None:
        if not self._done:
            self._inner.record_events(events, now)

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        # After the last decision: HOLD without a row in the log.
        return [None] * len(arrivals) if self._done else self._inner.decide(arrivals)

    def advance_clock(self, now: float) -> None:
        self._inner.advance_clock(now)


@dataclass(frozen=True)
class SimulatedLog:
    """Which log: its seed and floor, its number of weeks and of shoppers."""

    seed: int
    epsilon: float
    weeks: int
    shoppers: int

    def __str__(self) -> str:
        return f"seed-{self.seed}-floor-{self.epsilon:g}-weeks-{self.weeks}-shoppers-{self.shoppers}"


def simulate(log: SimulatedLog) -> tuple[list[LoggedDecision], dict[str, Array]]:
    """Simulate a log; return its decisions with a choice, and the expected rewards of each by event id."""
    rulebook = Rulebook.of(example(), 1)
    world = World(find_scenario("stationary").with_weeks(log.weeks), log.shoppers, log.seed, Messages.of(rulebook))
    watched = WatchedPolicySource(make_learner(rulebook, log.epsilon), Foresight(Truth(world, rulebook), rulebook))
    policy_source = LoggedPolicySource(watched, rulebook)
    shop = StopAfterEnough(LocalShop(policy_source, rulebook, f"triangle {log.seed}".encode()), watched)
    Simulation(shop, world, rulebook, f"t{log.seed}").run()
    source = LogDecisions(policy_source.log)  # type: ignore[arg-type]  # it only reads
    decisions = (entry.decision for entry in source if entry.role == EVALUATED and entry.decision is not None)
    return list(islice((decision for decision in decisions if len(decision.actions) > 1), DECISIONS)), watched.expected
