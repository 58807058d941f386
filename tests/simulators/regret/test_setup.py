"""A setup: its runs are those of a study, and its truth is the planner's own prediction."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest

from policies.catalogue.rulebook import Rulebook
from policies.models.registry import POLICIES, policy_without_floor
from simulators.experiments.contender import Contender, policy_contender
from simulators.experiments.study import Study
from simulators.plans.plan import Plan
from simulators.plans.planner_contender import planner_contender
from simulators.plans.price_search import first_plan
from simulators.regret.finished_run import FinishedRun, group_cells
from simulators.regret.setup import Setup
from simulators.regret.standing import Score
from simulators.scenario import find_scenario
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import FixedPolicy, PolicySource
from simulators.world.world import World

WEEKS, SHOPPERS, SEED = 3, 150, 4


@pytest.fixture(scope="module")
def setup(example_rulebook: Rulebook) -> Setup:
    scenario = find_scenario("stationary").with_weeks(WEEKS)
    plan = Plan(dict.fromkeys(example_rulebook.space.channels, 2.5), first_plan(scenario, example_rulebook).prices)
    return Setup(scenario, SHOPPERS, SEED, example_rulebook, plan, time.process_time)


def learning_policy(rulebook: Rulebook, world: World | None = None) -> PolicySource:
    return LearningPolicy(rulebook, POLICIES["default"])


@pytest.fixture(scope="module")
def learner_run(setup: Setup) -> FinishedRun:
    return setup.run_policy(partial(learning_policy, setup.rulebook))


@pytest.fixture(scope="module")
def planner(setup: Setup) -> FinishedRun:
    return setup.run_planner()


def test_the_runs_are_those_of_a_study(setup: Setup, learner_run: FinishedRun, planner: FinishedRun) -> None:
    study = Study(setup.scenario, SHOPPERS, [SEED], setup.rulebook, setup.plan.worth)
    contenders: list[Contender] = [
        policy_contender("learned", partial(learning_policy, setup.rulebook), setup.rulebook),
        planner_contender(lambda: setup.plan, setup.rulebook),
    ]
    without = setup.run_without_sends()
    assert not any(without.sends)
    results = study.compare(contenders, lambda name, hours: None)
    for result, run in zip(results, (learner_run, planner), strict=True):
        np.testing.assert_allclose(np.array(run.values) - without.values, result.weekly, atol=1e-12)
        assert Score.of_last_third(run, without).value == pytest.approx(result.value_of_last_third)
        assert Score.of(run, without).realised == pytest.approx(result.realised)
        assert run.reach == result.reach
        delivered = result.counts.outcomes["delivered"].sum(axis=(1, 2, 3))
        assert run.sends == delivered.tolist()
        assert sum(run.withdrawals_realised) == result.counts.withdrawals.sum()


def test_the_cells_have_all_sends_of_the_last_third(learner_run: FinishedRun) -> None:
    assert sum(cell.sums.sends for cell in learner_run.cells) == learner_run.sends[-1]
    by_channel = group_cells(learner_run.cells, "channel")
    assert by_channel[("email",)].watched == 0, "an e-mail can be seen for a week, which the last week does not have"
    assert 0 < by_channel[("push",)].watched < by_channel[("push",)].sends


def test_a_policy_predicts_opt_outs_and_the_rule_nothing(setup: Setup, learner_run: FinishedRun) -> None:
    assert all(cell.sums.withdrawals.predicted is not None for cell in learner_run.cells if cell.sums.watched)
    assert learner_run.decide_us is not None
    assert learner_run.decide_us > 0.0
    rule = setup.run_policy(partial(_fixed_rule, setup.rulebook))
    assert rule.slopes == {}
    assert all(cell.sums.withdrawals.predicted is None for cell in rule.cells)


def _fixed_rule(rulebook: Rulebook) -> PolicySource:
    return FixedPolicy(policy_without_floor(POLICIES["rule"], rulebook))


def test_what_the_planner_predicts_is_true(setup: Setup, planner: FinishedRun) -> None:
    """The planner's rows hold the true probabilities, before it is known whether a message is seen."""
    sums = group_cells(planner.cells)[()]
    assert sums.withdrawals.predicted == pytest.approx(sums.withdrawals.expected, rel=0.5)
    assert 0.4 < planner.slopes["out"] < 2.5
