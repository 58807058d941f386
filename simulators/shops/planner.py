"""The planner: the best policy known. It knows the true probabilities, and pays prices for what a send costs later.

The score of a send is its expected margin now minus its later costs: see `LaterCosts`. HOLD scores 0. The prices
come from a search on a training population (`simulators.plans.price_search`), never on the shoppers that the planner is
judged on.

The planner does not foresee the future, so it is no bound: another policy may earn more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Assessment, AssessmentTable, Policy
from policies.records.rows import Row
from simulators.shops.base import Arrival, shopper_number
from simulators.shops.campaigns import Campaigns
from simulators.shops.foresight import Foresight
from simulators.shops.later_costs import ConsentWorth, LaterCosts, Prices
from simulators.shops.local import LocalShop
from simulators.truth.truth import Truth
from simulators.world.world import World

PLANNER = "planner"


class Planner(LocalShop):
    """A shop of this process whose policy plans with the truth.

    It decides within the guardrails of the catalogue, on the triggers that all policies get. Where its prices say so,
    it also asks by itself: see `Campaigns`.

    Parameters
    ----------
    world
        A world with the messages ``Messages.of(rulebook)``.
    worth
        What a consent is worth after the run.
    prices
        The prices, one for each copy of the population: see `LaterCosts`.
    seed
        The application seed of the draws.
    number_of
        Returns the number of the shopper with an id.
    """

    def __init__(
        self,
        world: World,
        rulebook: Rulebook,
        worth: ConsentWorth,
        prices: Sequence[Prices],
        seed: bytes = PLANNER.encode(),
        number_of: Callable[[str], int] = shopper_number,
    ) -> None:
        truth, costs = Truth(world, rulebook), LaterCosts(world, rulebook, worth, prices)
        self._campaigns = Campaigns(world, rulebook, truth, costs)
        foresight = Foresight(truth, rulebook, number_of)
        super().__init__(_Plan(foresight, costs, self._campaigns, number_of), rulebook, seed)

    def campaign(self) -> Mapping[int, str]:
        """Return the shoppers about whom the planner asks by itself now, each with a type of trigger."""
        return self._campaigns.address()


class _Plan:
    """The policy source of the planner: scores the prospects of arrivals."""

    def __init__(
        self, foresight: Foresight, costs: LaterCosts, campaigns: Campaigns, number_of: Callable[[str], int]
    ) -> None:
        self._foresight = foresight
        self._costs = costs
        self._campaigns = campaigns
        self._number_of = number_of

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        """Return a policy that knows how the shoppers of these arrivals would react."""
        answers = [arrival for arrival in arrivals if not arrival.campaign]
        questions = [arrival for arrival in arrivals if arrival.campaign]
        prospects = self._foresight.prospects(answers)
        shoppers = np.array([self._number_of(arrival.shopper_id) for arrival in answers], dtype=np.int64)
        assessments = [*zip(self._costs.score(shoppers, prospects), prospects.out, strict=True)]
        assessments += [self._campaigns.assess(self._number_of(question.shopper_id)) for question in questions]
        scores, out = (np.array([one[column] for one in assessments]) for column in (0, 1))
        rows = {arrival.event_id: row for row, arrival in enumerate([*answers, *questions])}
        return Policy(PLANNER, AssessmentTable(rows, Assessment(scores, out)), epsilon=0.0)

    def fold(self, row: Row) -> None:
        """Learn nothing."""

    def advance_clock(self, now: float) -> None:
        """Change nothing."""
