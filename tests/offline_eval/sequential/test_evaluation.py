"""Sequential estimators: near the truth where sends tire, while bandit estimates are off and flagged."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_eval.diagnostics.verdict import Level
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.sequential.evaluation import (
    SEQUENTIAL_ESTIMATORS,
    SequentialEstimator,
    check_history,
    check_within_channel,
    evaluate_sequential,
)
from offline_eval.sequential.fitted_q import FittedQ
from offline_eval.sequential.per_decision import PerDecision, cumulate_weights
from offline_eval.sequential.state_marginal import StateMarginal
from offline_eval.sequential.trajectories import Trajectories
from offline_eval.targets import CallableTarget
from policies.catalogue.action_space import JointAction
from tests.reference.worlds import Fatigue

pytestmark = pytest.mark.xdist_group("sequential")  # the tests share what takes seconds to make

WORLD = Fatigue()
every_estimator = pytest.mark.parametrize("estimator", SEQUENTIAL_ESTIMATORS, ids=lambda estimator: estimator.name)


def value(estimator: SequentialEstimator, trajectories: Trajectories) -> float:
    return estimator.value(trajectories, np.ones(trajectories.shoppers))


def bandit(trajectories: Trajectories) -> float:
    return float((trajectories.weight * trajectories.reward).mean())


@pytest.fixture(scope="module")
def logs() -> list[Trajectories]:
    random = np.random.default_rng(1)
    return [WORLD.log(2_000, random) for _ in range(40)]


@pytest.mark.parametrize("estimator", [StateMarginal(), FittedQ()], ids=lambda estimator: estimator.name)
def test_the_mean_over_logs_is_within_3_percent_of_the_truth(
    estimator: SequentialEstimator, logs: list[Trajectories]
) -> None:
    """Of 40 logs; `make fatigue` shows it of 400. The standard error of this mean is below 1 %."""
    truth = WORLD.truth(WORLD.wanted)
    assert np.mean([value(estimator, log) for log in logs]) == pytest.approx(truth, rel=0.03)


def test_bandit_estimates_even_have_the_wrong_sign_and_are_flagged(logs: list[Trajectories]) -> None:
    """Sending more earns less per decision here, and a bandit estimate says that it earns more."""
    assert WORLD.truth(WORLD.wanted) < WORLD.truth(WORLD.logged)
    assert np.mean([bandit(log) for log in logs]) > 1.2 * WORLD.truth(WORLD.logged)
    (finding,) = check_history(logs[0])
    assert finding.level is Level.do_not_use
    assert "bandit estimates do not see that" in finding.text


def test_nothing_is_flagged_where_history_does_not_matter() -> None:
    calm = replace(WORLD, decay=1.0)
    flagged = [check_history(calm.log(2_000, np.random.default_rng(seed))) for seed in range(20)]
    assert sum(map(bool, flagged)) <= 1


def test_the_change_by_history_keeps_its_sign_where_rewards_are_negative(logs: list[Trajectories]) -> None:
    def change(trajectories: Trajectories) -> float:
        (finding,) = check_history(trajectories)
        match = re.search(r"changes its value by ([+-]\d+)%: ", finding.text)
        assert match is not None
        return float(match[1])

    assert change(logs[0]) < 0
    assert change(replace(logs[0], reward=-logs[0].reward)) == -change(logs[0])


def test_a_mean_of_zero_is_flagged_with_the_change_itself() -> None:
    """The target first takes action 1, and then earns 1 in state 1; the mean weighted reward of the log is 0."""
    action = np.tile([0, 0, 1, 0], 50)
    state = np.tile([0, 0, 0, 1], 50)
    reward = np.tile([0.0, -1.0, 0.0, 1.0], 50)
    first = np.tile([True, False], 100)
    log = Trajectories(
        shopper=np.arange(200) // 2,
        step=np.arange(200) % 2,
        state=state,
        action=action,
        reward=reward,
        propensity=np.where(first, 0.5, 1.0),
        target=np.where(first[:, None], [0.0, 1.0], [1.0, 0.0]),
    )
    assert bandit(log) == 0.0
    (finding,) = check_history(log)
    assert "changes its value by +0.5: " in finding.text


@every_estimator
def test_the_logging_policy_as_target_gives_the_mean_reward(estimator: SequentialEstimator) -> None:
    log = WORLD.log(300, np.random.default_rng(2), wanted=WORLD.logged)
    # A fitted Q lends cells to each other, so it is near only.
    assert value(estimator, log) == pytest.approx(log.reward.mean(), rel=0.05 if estimator.name == "fqe" else 1e-9)


@every_estimator
def test_the_order_of_shoppers_does_not_matter(estimator: SequentialEstimator) -> None:
    log = WORLD.log(200, np.random.default_rng(3))
    order = np.arange(len(log)).reshape(200, -1)[::-1].ravel()
    columns = {name: getattr(log, name)[order] for name in ("state", "action", "reward", "propensity", "target")}
    assert value(estimator, replace(log, **columns)) == pytest.approx(value(estimator, log))


@every_estimator
def test_rewards_that_are_all_negative_survive(estimator: SequentialEstimator) -> None:
    log = WORLD.log(200, np.random.default_rng(4))
    assert value(estimator, replace(log, reward=-log.reward)) == pytest.approx(-value(estimator, log))


@every_estimator
def test_counting_every_shopper_twice_changes_nothing(estimator: SequentialEstimator) -> None:
    log = WORLD.log(200, np.random.default_rng(5))
    assert estimator.value(log, np.full(200, 2.0)) == pytest.approx(value(estimator, log))


def test_per_decision_is_right_on_average_and_multiplies_weights() -> None:
    near = replace(WORLD, wanted=0.45)
    logs = [near.log(2_000, np.random.default_rng(seed)) for seed in range(40)]
    for estimator in (PerDecision(), PerDecision(normalised=True)):
        assert np.mean([value(estimator, log) for log in logs]) == pytest.approx(near.truth(0.45), rel=0.03)
    log = logs[0]
    assert cumulate_weights(log)[2] == pytest.approx(log.weight[0] * log.weight[1] * log.weight[2])
    assert cumulate_weights(log)[12] == pytest.approx(log.weight[12])


def test_one_step_is_a_bandit() -> None:
    log = replace(WORLD, steps=1).log(500, np.random.default_rng(6))
    for estimator in (PerDecision(), StateMarginal()):
        assert value(estimator, log) == pytest.approx(bandit(log))


def test_intervals_by_shopper_hold_the_truth() -> None:
    """Of 12 logs at least 8, which 95 % intervals miss once in 30,000."""
    truth, random = WORLD.truth(WORLD.wanted), np.random.default_rng(7)
    held = {"state-marginal": 0, "fqe": 0}
    for _ in range(12):
        report = evaluate_sequential(WORLD.log(800, random), draws=40)
        for estimate in report.estimates:
            assert estimate.low < estimate.value < estimate.high
            if estimate.name in held:
                held[estimate.name] += estimate.low < truth < estimate.high
    assert min(held.values()) >= 8
    assert "history" in {finding.code for finding in report.findings}


MESSAGES = (JointAction("good", "push", 0), JointAction("bad", "push", 0), JointAction("any", "email", 0), "HOLD")
MIX = np.array([0.3, 0.3, 0.2, 0.2])


def of_messages(chances: tuple[float, ...], wanted: np.ndarray, seed: int, logged: np.ndarray = MIX) -> Trajectories:
    """Make trajectories of 300 shoppers with six decisions each, who never tire."""
    random = np.random.default_rng(seed)
    decisions = []
    for number in range(1_800):
        drawn = int(random.choice(4, p=logged))
        reward, context = float(random.random() < chances[drawn]), {"recent_sends": number // 300}
        shopper = f"s-{number % 300}"
        decisions.append(
            LoggedDecision(f"e-{number}", shopper, float(number), context, MESSAGES, logged, drawn, reward)
        )
    return Trajectories.of_decisions(decisions, CallableTarget(lambda _: wanted))


def test_a_better_message_on_the_same_channel_is_what_sequential_estimates_do_not_see() -> None:
    """The target always sends the message that earns .3; estimates hold the mean of .2 of the log's two messages."""
    log = of_messages((0.3, 0.1, 0.0, 0.0), np.array([1.0, 0, 0, 0]), seed=12)
    report = evaluate_sequential(log, draws=40)
    assert all(estimate.high < 0.3 for estimate in report.estimates if estimate.name in ("state-marginal", "fqe"))
    (finding,) = (estimator for estimator in report.findings if estimator.code == "within_channel")
    assert finding.level is Level.caution
    findings = re.search(r"changes its value by (\S+) ± (\S+): ", finding.text)
    assert findings is not None
    assert float(findings[1]) == pytest.approx(0.1, abs=4 * float(findings[2]))


@given(
    st.lists(st.floats(0.05, 1), min_size=4, max_size=4),
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda shares: sum(shares) > 0.1),
)
@settings(max_examples=15, deadline=None)
def test_a_target_that_keeps_the_logs_messages_within_each_channel_is_never_flagged(
    mix: list[float], shares: list[float]
) -> None:
    """However far the messages' rewards are apart."""
    logged, channel = np.array(mix) / sum(mix), np.array([0, 0, 1, 2])
    wanted = (np.array(shares) / sum(shares))[channel] * logged / np.bincount(channel, logged)[channel]
    log = of_messages((0.9, 0.1, 0.5, 0.0), wanted, seed=13, logged=logged)
    assert log.joint_weight == pytest.approx(log.weight)
    assert check_within_channel(log) == []


def test_other_messages_that_earn_the_same_are_hardly_ever_flagged() -> None:
    """By chance once in 370."""
    flagged = [
        check_within_channel(of_messages((0.2, 0.2, 0.1, 0.0), np.array([0.6, 0.1, 0.3, 0.0]), seed))
        for seed in range(20)
    ]
    assert sum(map(bool, flagged)) <= 1


def test_a_shopper_who_does_the_same_again_and_again_makes_the_finding_no_surer() -> None:
    log = of_messages((0.3, 0.1, 0.0, 0.0), np.array([1.0, 0, 0, 0]), seed=14)
    places = np.arange(len(log)).reshape(300, 6).repeat(5, axis=0).ravel()
    often = {name: values[places] for name, values in vars(log).items()} | {"step": np.tile(np.arange(30), 300)}
    assert check_within_channel(Trajectories(**often)) == check_within_channel(log) != []


def test_one_shopper_alone_says_nothing_about_messages() -> None:
    log = of_messages((0.3, 0.1, 0.0, 0.0), np.array([1.0, 0, 0, 0]), seed=14)
    assert check_within_channel(Trajectories(**{name: values[:6] for name, values in vars(log).items()})) == []


def test_trajectories_of_other_lengths_are_fine() -> None:
    log = WORLD.log(100, np.random.default_rng(10))
    kept = log.step < np.repeat(np.arange(100) % 12 + 1, 12)
    columns = {name: values[kept] for name, values in vars(log).items() if values is not None}
    short = Trajectories(**columns)
    for estimator in SEQUENTIAL_ESTIMATORS:
        assert np.isfinite(value(estimator, short))
