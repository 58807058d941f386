"""The planner: the best policy known. It knows the true probabilities, and pays prices for what a send costs later.

The score of a send is

    margin now - P(opt-out) · (what the opt-out costs later) + P(win-back) · (what the shopper earns later)
               - load price · load - place

See `LaterCosts` for what happens later. HOLD scores 0. The prices come from a search on a twin population
(`simulators.experiments.price_search`), never on the shoppers that the planner is judged on.

The planner does not foresee the future, so it is no bound: another policy may earn more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Assessment, Policy
from policies.records.rows import Context, Row
from simulators.arrays import FloatArray
from simulators.shops.arrival_truth import TruthOfArrivals
from simulators.shops.base import Arrival, ConsentChange, Outcome, ShopperEvent, shopper_number
from simulators.shops.campaigns import Campaigns
from simulators.shops.later_costs import ConsentWorth, LaterCosts, Prices
from simulators.shops.local import LocalShop
from simulators.world.world import World

PLANNER = "planner"
_EVENT = "event_id"


class Planner:
    """A shop of this process whose policy plans with the truth.

    It decides within the guardrails of the catalogue, on the triggers that all policies get. Where its prices say so,
    it also asks by itself: see `Campaigns`.

    Parameters
    ----------
    world
        A world with the messages ``Messages.of(rulebook)``.
    worth
        What a consent is worth after the run.
    seed
        The application seed of the draws.
    """

    def __init__(
        self, world: World, rulebook: Rulebook, worth: ConsentWorth, prices: Prices, seed: bytes = PLANNER.encode()
    ) -> None:
        costs = LaterCosts(world, rulebook, worth, prices)
        self._campaigns = Campaigns(world, rulebook, costs)
        self._scores = _Scores(world, rulebook, costs, self._campaigns)
        self._shop = LocalShop(self._scores, rulebook, seed)

    def campaign(self) -> Mapping[int, str]:
        """Return the shoppers about whom the planner asks by itself now, each with a type of trigger."""
        return self._campaigns.address()

    def change_consent(self, changes: Sequence[ConsentChange], now: float) -> None:
        self._shop.change_consent(changes, now)

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        self._shop.record_outcomes(outcomes, now)

    def record_events(self, events: Sequence[ShopperEvent], now: float) -> None:
        self._shop.record_events(events, now)

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        self._scores.clear()
        named = [replace(one, context={**one.context, _EVENT: one.event_id}) for one in arrivals]
        return self._shop.decide(named)

    def advance_clock(self, now: float) -> None:
        self._shop.advance_clock(now)


class _Scores:
    """The policy source of the planner, and its model: the scores of the arrivals of one tick."""

    def __init__(self, world: World, rulebook: Rulebook, costs: LaterCosts, campaigns: Campaigns) -> None:
        self._truth = TruthOfArrivals(world, rulebook)
        self._costs = costs
        self._channels, self._send_costs = rulebook.space.channel_of, rulebook.costs
        self._campaigns = campaigns
        self._policy = Policy(PLANNER, self, epsilon=0.0)
        self._nothing = np.zeros((2, len(rulebook.space)))
        self._by_event: dict[str, FloatArray] = {}

    def clear(self) -> None:
        """Forget the scores of the last tick."""
        self._by_event.clear()

    def policy_for(self, arrival: Arrival) -> Policy:
        """Return the policy, which knows from now on how this arrival's shopper would react."""
        shopper = shopper_number(arrival.shopper_id)
        if arrival.campaign:
            self._by_event[arrival.event_id] = self._campaigns.scores(shopper)
        elif (prospects := self._truth.prospects(arrival)) is not None:
            (scores,) = self._costs.score(np.array([shopper]), self._channels, self._send_costs, prospects)
            self._by_event[arrival.event_id] = np.stack([scores, prospects.out])
        return self._policy

    def assess(self, contexts: Sequence[Context], rulebook: Rulebook) -> Assessment:
        rows = [self._by_event.get(str(context[_EVENT]), self._nothing) for context in contexts]
        scores, out = np.stack(rows, axis=1)
        return Assessment(scores, out)

    def fold(self, row: Row) -> None:
        """Learn nothing."""

    def advance_clock(self, now: float) -> None:
        """Change nothing."""
