"""A shop in this process: the same `decide` and the same folds as the service, without stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.decide import decide_in_order
from policies.decision import Decision
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
from policies.rules.budget import BudgetDay, fold_with_spending
from policies.rules.rules import RULES
from policies.shopper.state import NEW_SHOPPER, ShopperState
from simulators.shops.base import Arrival, ConsentChange, Outcome, ShopperEvent

_AT_ONCE = 256
"""How many requests are decided at once: more would need more memory and save nothing."""


class PolicySource(Protocol):
    """The source of a shop's policies: it folds the rows of the shop's log, and returns policies for decisions."""

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        """Return the policy that decides for the arrivals of one time."""
        ...

    def fold(self, row: Row) -> None:
        """Learn from a row of the log, in the log's order."""
        ...

    def advance_clock(self, now: float) -> None:
        """Let time pass: later policies may use what was learned until now."""
        ...


class FixedPolicy:
    """One policy that never changes."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        return self._policy

    def fold(self, row: Row) -> None:
        """Learn nothing."""

    def advance_clock(self, now: float) -> None:
        """Change nothing."""


class LocalShop:
    """Decides with the guardrails, the shopper states and the budgets of the service.

    A call of `decide` gets the arrivals of a tick. They are decided in order, as the service decides a list: each
    decision knows the sends and the spending of the decisions before.

    Parameters
    ----------
    policy_source
        Returns the policy of the decisions.
    rulebook
        The catalogue.
    seed
        The application seed of the draws.
    """

    def __init__(self, policy_source: PolicySource, rulebook: Rulebook, seed: bytes) -> None:
        self._policy_source = policy_source
        self._rulebook = rulebook
        self._horizon_s = RULES.horizon_s(rulebook.catalogue)
        self._seed = seed
        self._states: dict[str, ShopperState] = {}
        self._spent: Counter[BudgetDay] = Counter()
        self._decisions: dict[str, DecisionRow] = {}

    @property
    def decision_rows(self) -> Mapping[str, DecisionRow]:
        """The rows of all decisions so far, by event id."""
        return self._decisions

    def _append(self, row: ShopperRow) -> None:
        if row.shopper_id is not None:
            before = self._states.get(row.shopper_id, NEW_SHOPPER)
            self._states[row.shopper_id], spending = fold_with_spending(before, row, self._horizon_s)
            for day, cost in spending.items():
                self._spent[day] += cost
        self._policy_source.fold(row)

    def change_consent(self, changes: Sequence[ConsentChange], now: float) -> None:
        for change in changes:
            self._append(PreferencesRow(now, change.shopper_id, dict(change.consent)))

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        for outcome in outcomes:
            decision = self._decisions[outcome.event_id]
            self._append(
                OutcomeRow(
                    at=now,
                    event_id=outcome.event_id,
                    type=outcome.type,
                    occurred_at=outcome.at,
                    value=outcome.value,
                    shopper_id=decision.shopper_id,
                    channel=decision.channel if decision.is_delivered else None,
                )
            )

    def record_events(self, events: Sequence[ShopperEvent], now: float) -> None:
        for event in events:
            self._append(
                EventRow(
                    at=now,
                    shopper_id=event.shopper_id,
                    type=event.type,
                    occurred_at=event.at,
                    attributes=dict(event.attributes),
                )
            )

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        policy, actions = self._policy_source.policy_for(arrivals), list[JointAction | None]()
        requests = [request_of(arrival, self._rulebook) for arrival in arrivals]
        while requests:
            decisions = self._decide_first(requests[:_AT_ONCE], policy)
            self._record(decisions)
            actions += [decision.action for decision in decisions]
            requests = requests[len(decisions) :]
        return actions

    def _decide_first(self, requests: Sequence[Request], policy: Policy) -> list[Decision]:
        """Decide the first requests, at least one; the others must be decided with what these have spent."""
        states = {name: self._states[name] for request in requests if (name := request.shopper_id) in self._states}
        return decide_in_order(requests, states, self._spent, self._rulebook, policy, self._seed)

    def _record(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            row = decision_row(decision)
            self._decisions[row.event_id] = row
            self._append(row)

    def advance_clock(self, now: float) -> None:
        self._policy_source.advance_clock(now)


def request_of(arrival: Arrival, rulebook: Rulebook) -> Request:
    """Return an arrival as a request, with the defaults of the catalogue's triggers."""
    known = rulebook.catalogue.triggers
    triggers = tuple(
        TriggerRecord(
            trigger.type,
            known[trigger.type].priority,
            arrival.at + known[trigger.type].expires_s,
            known[trigger.type].critical,
            dict(trigger.attributes),
        )
        for trigger in arrival.triggers
    )
    return Request(arrival.event_id, arrival.shopper_id, triggers, arrival.at, dict(arrival.context))
