"""A shop in this process: the same `decide` and the same folds as the service, without stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.decide import decide
from policies.decision_row import decision_row
from policies.models.policy import Policy
from policies.records.request import Request
from policies.records.rows import (
    DecisionRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    Row,
    ShopperRow,
    TriggerRecord,
)
from policies.rules.budget import BudgetDay, spending_of
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState
from simulators.shops.base import Arrival, ConsentChange, Outcome, ShopperEvent


class PolicySource(Protocol):
    """What a shop decides by."""

    def policy(self, arrival: Arrival) -> Policy:
        """Give the policy that answers an arrival."""
        ...

    def take(self, row: Row) -> None:
        """Take a row of the log in."""
        ...

    def reach(self, now: float) -> None:
        """Let time pass."""
        ...


class FixedPolicy:
    """A policy that never changes."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def policy(self, arrival: Arrival) -> Policy:
        """Give the policy."""
        return self._policy

    def take(self, row: Row) -> None:
        """Learn nothing."""

    def reach(self, now: float) -> None:
        """Stay the same."""


class LocalShop:
    """Decides with the guardrails, the shopper states and the spending of the service.

    One decision follows the other, so each knows what the one before has spent of a channel's daily budget;
    the service reads the spending of a batch's shoppers together. Until a budget is nearly spent the two agree.

    Parameters
    ----------
    mind
        What it decides by.
    rulebook
        The catalogue.
    seed
        The application seed of the draws.
    """

    def __init__(self, mind: PolicySource, rulebook: Rulebook, seed: bytes) -> None:
        self._mind = mind
        self._rulebook = rulebook
        self._seed = seed
        self._states: dict[str, ShopperState] = {}
        self._spent: Counter[BudgetDay] = Counter()
        self._decisions: dict[str, DecisionRow] = {}

    def _append(self, row: ShopperRow) -> None:
        if row.shopper_id is not None:
            before = self._states.get(row.shopper_id, NEW_SHOPPER)
            self._states[row.shopper_id] = fold(before, row)
            self._spent.update(spending_of(row, before))
        self._mind.take(row)

    def wishes(self, wishes: Sequence[ConsentChange], now: float) -> None:
        """Take changes of consent in."""
        for wish in wishes:
            self._append(PreferencesRow(now, wish.shopper_id, dict(wish.consent)))

    def tell(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Take outcomes in."""
        for told in outcomes:
            decision = self._decisions[told.event_id]
            self._append(
                OutcomeRow(
                    at=now,
                    event_id=told.event_id,
                    type=told.type,
                    occurred_at=told.at,
                    value=told.value,
                    shopper_id=decision.shopper_id,
                    channel=decision.channel if decision.is_delivered else None,
                )
            )

    def saw(self, acts: Sequence[ShopperEvent], now: float) -> None:
        """Take what shoppers did in."""
        for act in acts:
            self._append(EventRow(now, act.shopper_id, act.type, act.at, dict(act.attributes)))

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        """Decide for each arrival, in order."""
        return [self._decide(arrival) for arrival in arrivals]

    def _decide(self, arrival: Arrival) -> JointAction | None:
        request = request_of(arrival, self._rulebook)
        state = self._states.get(arrival.shopper_id, NEW_SHOPPER)
        decision = decide(request, state, self._rulebook, self._mind.policy(arrival), self._seed, self._spent)
        row = decision_row(decision)
        self._decisions[row.event_id] = row
        self._append(row)
        return decision.action

    def reach(self, now: float) -> None:
        """Let time pass."""
        self._mind.reach(now)


def request_of(arrival: Arrival, rulebook: Rulebook) -> Request:
    """Make a request of an arrival, filled in with the catalogue's defaults."""
    known = rulebook.catalogue.triggers
    triggers = tuple(
        TriggerRecord(
            each.type,
            known[each.type].priority,
            arrival.at + known[each.type].expires_s,
            known[each.type].critical,
            dict(each.attributes),
        )
        for each in arrival.happenings
    )
    return Request(arrival.event_id, arrival.shopper_id, triggers, arrival.at, dict(arrival.context))
