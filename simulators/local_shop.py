"""A shop in this process: a fixed policy behind the same `decide` and the same folds as the service."""

from __future__ import annotations

from collections.abc import Sequence

from policies.actions import JointAction
from policies.decide import decide
from policies.policy import Policy
from policies.record import record
from policies.request import Request
from policies.rows import DecisionRow, EventRow, OutcomeRow, ShopperRow, TriggerRecord
from policies.rulebook import Rulebook
from policies.shopper import NEW_SHOPPER, ShopperState
from policies.shopper_fold import fold
from simulators.purchases import Purchase
from simulators.replay import Arrival, Told


class LocalShop:
    """Decides by a policy that does not learn, with the guardrails and the state of the service.

    Parameters
    ----------
    seed
        The application seed of the draws.
    """

    def __init__(self, policy: Policy, rulebook: Rulebook, seed: bytes) -> None:
        self._policy = policy
        self._rulebook = rulebook
        self._seed = seed
        self._states: dict[str, ShopperState] = {}
        self._decisions: dict[str, DecisionRow] = {}

    def _fold(self, row: ShopperRow) -> None:
        if row.shopper_id is not None:
            self._states[row.shopper_id] = fold(self._states.get(row.shopper_id, NEW_SHOPPER), row)

    def tell(self, outcomes: Sequence[Told], now: float) -> None:
        """Take outcomes in."""
        for told in outcomes:
            decision, response = self._decisions[told.event_id], told.response
            self._fold(
                OutcomeRow(
                    at=now,
                    event_id=told.event_id,
                    type=response.type,
                    occurred_at=response.at,
                    value=response.value,
                    shopper_id=decision.shopper_id,
                    channel=decision.channel,
                )
            )

    def saw(self, purchases: Sequence[Purchase], now: float) -> None:
        """Take purchases in."""
        for purchase in purchases:
            self._fold(EventRow(now, purchase.shopper, "purchase", purchase.at, {"value": purchase.value}))

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        """Decide for each arrival, in order."""
        return [self._decide(arrival) for arrival in arrivals]

    def _decide(self, arrival: Arrival) -> JointAction | None:
        purchase, rulebook = arrival.purchase, self._rulebook
        known = rulebook.catalogue.triggers[arrival.trigger]
        trigger = TriggerRecord(arrival.trigger, known.priority, purchase.at + known.expires_s, known.critical)
        request = Request(arrival.event_id, purchase.shopper, (trigger,), purchase.at, arrival.context)
        state = self._states.get(purchase.shopper, NEW_SHOPPER)
        decision = decide(request, state, rulebook, self._policy, self._seed)
        row = record(decision)
        self._decisions[row.event_id] = row
        self._fold(row)
        return decision.action

    def reach(self, now: float) -> None:
        """Let time pass: a fixed policy has nothing to do."""
