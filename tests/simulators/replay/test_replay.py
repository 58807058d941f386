"""The replay: all shops meet the same arrivals, and no shopper gets a message after an opt-out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from simulators.experiments.comparison import ShopRun
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.replay.purchases import Purchase
from simulators.replay.replay import Replay
from simulators.replay.replay_world import scenario_of, world_of
from simulators.scenarios.report_rules import ReportRules
from simulators.scenarios.scenario import Scenario, find_scenario
from simulators.shops.base import Arrival, Outcome
from simulators.shops.local import FixedPolicy, LocalShop, PolicySource
from tests.factories import NOW

pytestmark = pytest.mark.xdist_group("replay")  # the tests share what takes seconds to make

PURCHASES = [
    Purchase(f"i{number}", f"s{number * number * 7 % 41}", NOW + number * 9_000.0, 10.0 + number % 30, "Lantern")
    for number in range(300)
]


class RecordingShop(LocalShop):
    """A shop that keeps its arrivals and the outcomes that it hears of."""

    def __init__(self, policy_source: PolicySource, rulebook: Rulebook, seed: bytes) -> None:
        super().__init__(policy_source, rulebook, seed)
        self.arrivals: list[Arrival] = []
        self.outcomes: list[Outcome] = []

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        self.arrivals += arrivals
        return super().decide(arrivals)

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        self.outcomes += outcomes
        super().record_outcomes(outcomes, now)


def replay(rulebook: Rulebook, policy: Policy, seed: int = 1) -> tuple[list[DecisionOutcomes], RecordingShop]:
    shop = RecordingShop(FixedPolicy(policy), rulebook, b"draws")
    world = world_of(PURCHASES, rulebook, seed)
    return Replay(shop, world, rulebook, PURCHASES, f"replay-{seed}").run(), shop


@pytest.fixture(scope="module")
def of_rule(example_rulebook: Rulebook) -> tuple[list[DecisionOutcomes], RecordingShop]:
    """A replay to the business rule with seed 1."""
    return replay(example_rulebook, rule_policy(epsilon=0.0))


def test_the_same_seed_gives_the_same_replay_and_another_seed_another(
    example_rulebook: Rulebook, of_rule: tuple[list[DecisionOutcomes], RecordingShop]
) -> None:
    assert replay(example_rulebook, rule_policy(epsilon=0.0))[0] == of_rule[0]
    assert replay(example_rulebook, rule_policy(epsilon=0.0), seed=2)[0] != of_rule[0]


def test_every_purchase_makes_an_arrival_and_so_does_the_pace_of_a_shopper(
    of_rule: tuple[list[DecisionOutcomes], RecordingShop],
) -> None:
    records, shop = of_rule
    kinds = [trigger.type for arrival in shop.arrivals for trigger in arrival.triggers]
    assert {"welcome", "first_order", "post_purchase", "replenishment"} <= set(kinds)
    first_purchases = sum(kind in {"welcome", "first_order"} for kind in kinds)
    assert first_purchases == len({purchase.shopper for purchase in PURCHASES})
    assert len(records) == len(shop.arrivals) >= len(PURCHASES)
    assert {outcome.type for record in records for outcome in record.outcomes} >= {"delivered", "open", "click"}
    assert all(record.action is not None for record in records if record.outcomes)


def test_no_message_is_delivered_on_a_channel_after_an_opt_out(example_rulebook: Rulebook) -> None:
    shop = LocalShop(FixedPolicy(rule_policy(epsilon=0.0)), example_rulebook, b"draws")
    irritable = dataclasses.replace(scenario_of(PURCHASES), irritability=20.0)
    left: dict[tuple[str, str], float] = {}
    world = world_of(PURCHASES, example_rulebook, 5, irritable)
    for record in Replay(shop, world, example_rulebook, PURCHASES, "replay-5").run():
        if record.action is None:
            continue
        key, send_at = (record.shopper, record.action.channel), record.at + record.action.delay_s
        if record.delivered:
            assert send_at < left.get(key, np.inf) + 3_600.0  # an opt-out counts from the end of its hour
        for outcome in record.outcomes:
            if outcome.type in {"opt_out", "complaint"}:
                left[key] = min(left.get(key, np.inf), outcome.at)
    assert left, "nobody opted out: this proves nothing"


def test_all_shops_meet_the_same_arrivals(
    example_rulebook: Rulebook, of_rule: tuple[list[DecisionOutcomes], RecordingShop]
) -> None:
    uniform, _ = replay(example_rulebook, uniform_policy())
    assert [(record.event_id, record.at, record.shopper) for record in of_rule[0]] == [
        (record.event_id, record.at, record.shopper) for record in uniform
    ]


def test_expected_rewards_have_the_mean_of_the_realised_ones(example_rulebook: Rulebook) -> None:
    """Realised minus expected over ten replays of 300 purchases: |t| < 5.5, false-alarm rate 4e-4."""
    gaps = []
    for seed in range(10):
        run = ShopRun.of("u", replay(example_rulebook, uniform_policy(), seed)[0], example_rulebook.catalogue)
        gaps.append(float((run.rewards - run.expected).mean()))
    assert abs(np.mean(gaps)) < 5.5 * np.std(gaps, ddof=1) / len(gaps) ** 0.5


def test_a_rule_of_attribution_credits_real_purchases_and_changes_nothing_that_happens(
    example_rulebook: Rulebook, of_rule: tuple[list[DecisionOutcomes], RecordingShop]
) -> None:
    records, shop = of_rule
    scenario = scenario_of(PURCHASES, Scenario("credits", reports=ReportRules(attribution="last_touch", window_h=48.0)))
    crediting = RecordingShop(FixedPolicy(rule_policy(epsilon=0.0)), example_rulebook, b"draws")
    world = world_of(PURCHASES, example_rulebook, 1, scenario)
    assert Replay(crediting, world, example_rulebook, PURCHASES, "replay-1").run() == records
    shopper_of = {record.event_id: record.shopper for record in records}
    purchases = {(purchase.shopper, purchase.at, purchase.value) for purchase in PURCHASES}
    orders = {(shopper_of[one.event_id], one.at, one.value) for one in crediting.outcomes if one.type == "conversion"}
    assert orders & purchases
    assert not {(one.at, one.value) for one in shop.outcomes} & {(at, value) for _, at, value in purchases}


def test_in_a_world_that_shoppers_join_a_buyer_has_joined(example_rulebook: Rulebook) -> None:
    world = world_of(PURCHASES, example_rulebook, 1, scenario_of(PURCHASES, find_scenario("new_shoppers")))
    assert len(world.joined_shoppers()) == len({purchase.shopper for purchase in PURCHASES})
