"""The planner in a replay: the best shop known, with prices found on shoppers whom nobody is judged on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from simulators.experiments.comparison import ShopRun
from simulators.plans.plan import Plan
from simulators.replay.purchases import Purchase
from simulators.replay.replay import Replay
from simulators.replay.replay_plan import make_plan, make_planner
from simulators.replay.replay_result import ReplayResult
from simulators.replay.replay_world import scenario_of, world_of
from simulators.shops.base import Shop
from simulators.shops.local import FixedPolicy, LocalShop
from simulators.shops.no_send import NoSendShop
from simulators.world.world import World
from tests.factories import NOW

pytestmark = pytest.mark.xdist_group("replay_plan")  # the tests share a plan

PURCHASES = [
    Purchase(f"i{number}", f"b-{number * number * 7 % 61}", NOW + number * 3_600.0, 20.0, "Lantern")
    for number in range(200)
]


@pytest.fixture(scope="module")
def plan(example_rulebook: Rulebook) -> Plan:
    """A plan from a training population of ten shoppers."""
    return make_plan(PURCHASES, scenario_of(PURCHASES), example_rulebook, shoppers=10)


def local_shop(policy: Policy, rulebook: Rulebook, world: World) -> Shop:
    return LocalShop(FixedPolicy(policy), rulebook, b"draws")


def play(rulebook: Rulebook, make: Callable[[World], Shop]) -> tuple[ShopRun, World]:
    world = world_of(PURCHASES, rulebook, 3)
    records = Replay(make(world), world, rulebook, PURCHASES, "replay-3").run()
    return ShopRun.of("shop", records, rulebook.catalogue), world


def test_the_planner_earns_more_than_the_rule_and_uniform_choice(example_rulebook: Rulebook, plan: Plan) -> None:
    _, twin = play(example_rulebook, lambda world: NoSendShop())

    def value(make: Callable[[World], Shop]) -> ReplayResult:
        return ReplayResult.of(*play(example_rulebook, make), twin, plan.worth)

    planner = value(lambda world: make_planner(world, example_rulebook, PURCHASES, plan))
    assert planner.value > 0.0
    for policy in (rule_policy(epsilon=0.0), uniform_policy()):
        baseline = value(partial(local_shop, policy, example_rulebook))
        assert planner.minus(baseline).low > 0.0
        share = baseline.share_of(planner)
        assert share is None or share.value < 1.0
    silent = value(lambda world: NoSendShop())
    assert not silent.values.any()
    assert not silent.run.sends.any()


def test_a_plan_knows_what_consents_are_worth(example_rulebook: Rulebook, plan: Plan) -> None:
    assert plan.worth.keys() == set(example_rulebook.space.channels)
    assert min(plan.worth.values()) >= 0.0 < max(plan.worth.values())
    assert plan.prices.campaigns == 0.0, "a replay asks only when a shopper buys, and at the shopper's pace"
