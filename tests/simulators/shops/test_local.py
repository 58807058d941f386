"""The shop in this process: each decision is the one that the rows before it give, folded and decided one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from decision_service.catalogues.file import example
from policies.catalogue.action_space import JointAction
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook, millionths
from policies.decide import decide
from policies.decision_row import decision_row
from policies.models.policy import Policy
from policies.models.registry import POLICIES
from policies.records.rows import SHOPPER_ROWS, DecisionRow, Row, encode
from policies.rules.budget import BudgetDay, utc_day
from policies.rules.rules import RULES
from policies.shopper.fold import apply, fold
from policies.shopper.state import NEW_SHOPPER, ShopperState
from simulators.experiments.simulation import Simulation
from simulators.scenario import find_scenario
from simulators.shops.base import Arrival
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import LocalShop, request_of
from simulators.world.messages import Messages
from simulators.world.world import World

SHOPPERS, HOURS, SEED = 400, 24 * 3, b"draws"


class RowKeeper(LearningPolicy):
    """A policy source that keeps the rows that it folds."""

    def __init__(self, rulebook: Rulebook, policy: str) -> None:
        self.rows: list[Row] = []
        super().__init__(rulebook, POLICIES[policy])

    def fold(self, row: Row) -> None:
        self.rows.append(row)
        super().fold(row)


class ArrivalKeeper(LocalShop):
    """A shop that keeps its arrivals, each with the policy that decides for it."""

    def __init__(self, policy_source: RowKeeper, rulebook: Rulebook) -> None:
        super().__init__(policy_source, rulebook, SEED)
        self._source = policy_source
        self.arrivals: dict[str, tuple[Arrival, Policy]] = {}

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        policy = self._source.policy_for(arrivals)
        self.arrivals |= {arrival.event_id: (arrival, policy) for arrival in arrivals}
        return super().decide(arrivals)


def rulebook_with_small_budgets() -> Rulebook:
    document = example().to_document()
    for channel, budget in (("email", 0.002), ("sms", 0.05)):
        document["channels"][channel]["daily_budget"] = budget
    return Rulebook.of(Catalogue.from_document(document), 1)


def costs(state: ShopperState, sign: int) -> Counter[BudgetDay]:
    spent = Counter[BudgetDay]()
    for send in state.sends:
        spent[send.channel, utc_day(send.paid_at)] += sign * millionths(send.cost)
    return spent


@pytest.mark.parametrize(
    ("scenario", "policy"),
    [("stationary", "default"), ("slow_feedback", "default"), ("new_shoppers", "default"), ("stationary", "bayes")],
)
def test_each_decision_is_the_one_that_the_rows_before_it_give(scenario: str, policy: str) -> None:
    """The specification: one fold for one row, one `decide` for one request."""
    rulebook = rulebook_with_small_budgets()
    source = RowKeeper(rulebook, policy)
    shop = ArrivalKeeper(source, rulebook)
    world = World(find_scenario(scenario), SHOPPERS, 4, Messages.of(rulebook))
    simulation = Simulation(shop, world, rulebook, "run")
    for _ in range(HOURS):
        simulation.step()

    states, spent = dict[str, ShopperState](), Counter[BudgetDay]()
    changed_by_budgets, horizon_s = 0, RULES.horizon_s(rulebook.catalogue)
    for row in source.rows:
        if not isinstance(row, SHOPPER_ROWS) or row.shopper_id is None:
            continue
        before = states.get(row.shopper_id, NEW_SHOPPER)
        if isinstance(row, DecisionRow):
            arrival, served = shop.arrivals[row.event_id]
            expected = decide(request_of(arrival, rulebook), before, rulebook, served, SEED, dict(spent))
            assert encode(row) == encode(decision_row(expected))
            without = decide(request_of(arrival, rulebook), before, rulebook, served, SEED)
            changed_by_budgets += expected.exclusions != without.exclusions
        states[row.shopper_id] = fold(before, row, horizon_s)
        spent.update(costs(apply(before, row), 1))
        spent.update(costs(before, -1))
    assert changed_by_budgets > 5, "no budget was used up: the spending has changed no decision"
    assert len(simulation.records) == len(shop.arrivals) > 100
