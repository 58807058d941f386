"""Sequential estimators: near the truth where sends tire, while bandit estimates are off and flagged."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_eval.diagnostics.verdict import Level
from offline_eval.errors import BadData, NoData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.sequential.evaluation import (
    SEQUENTIAL_ESTIMATORS,
    SequentialEstimator,
    evaluate_sequential,
    find_history,
    find_within_channel,
)
from offline_eval.sequential.fitted_q import FittedQ, check_fit
from offline_eval.sequential.per_decision import PerDecision, cumulate_weights
from offline_eval.sequential.state_marginal import StateMarginal
from offline_eval.sequential.trajectories import Trajectories
from offline_eval.targets import CallableTarget, UniformTarget
from policies.catalogue.action_space import JointAction
from tests.reference.worlds import Fatigue

WORLD = Fatigue()
every_estimator = pytest.mark.parametrize("estimator", SEQUENTIAL_ESTIMATORS, ids=lambda each: each.name)


def value(estimator: SequentialEstimator, trajectories: Trajectories) -> float:
    return estimator.value(trajectories, np.ones(trajectories.shoppers))


def bandit(trajectories: Trajectories) -> float:
    return float((trajectories.weight * trajectories.reward).mean())


@pytest.fixture(scope="module")
def logs() -> list[Trajectories]:
    random = np.random.default_rng(1)
    return [WORLD.log(2_000, random) for _ in range(40)]


@pytest.mark.parametrize("estimator", [StateMarginal(), FittedQ()], ids=lambda each: each.name)
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
    (finding,) = find_history(logs[0])
    assert finding.level is Level.do_not_use
    assert "bandit estimates do not see that" in finding.text


def test_nothing_is_flagged_where_history_does_not_matter() -> None:
    calm = replace(WORLD, decay=1.0)
    flagged = [find_history(calm.log(2_000, np.random.default_rng(seed))) for seed in range(20)]
    assert sum(map(bool, flagged)) <= 1


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


def test_a_state_that_hides_the_past_is_found_by_the_residual() -> None:
    """With one state for all, Q is the log's average: the residual along the target's states shows it."""
    log = WORLD.log(4_000, np.random.default_rng(8))
    hidden = replace(log, state=np.zeros(len(log), dtype=np.int64))
    assert check_fit(log).is_sound
    assert value(FittedQ(), hidden) > 1.2 * WORLD.truth(WORLD.wanted)


def test_actions_hardly_ever_tried_are_found() -> None:
    rare = replace(WORLD, logged=0.002).log(300, np.random.default_rng(9))
    found = check_fit(rare)
    assert found.rare > 0.05
    assert not found.is_sound


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
    (finding,) = (each for each in report.findings if each.code == "within_channel")
    assert finding.level is Level.caution
    told = re.search(r"changes its value by (\S+) ± (\S+): ", finding.text)
    assert told is not None
    assert float(told[1]) == pytest.approx(0.1, abs=4 * float(told[2]))


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
    assert find_within_channel(log) == []


def test_other_messages_that_earn_the_same_are_hardly_ever_flagged() -> None:
    """By chance once in 370."""
    flagged = [
        find_within_channel(of_messages((0.2, 0.2, 0.1, 0.0), np.array([0.6, 0.1, 0.3, 0.0]), seed))
        for seed in range(20)
    ]
    assert sum(map(bool, flagged)) <= 1


def test_a_shopper_who_does_the_same_again_and_again_makes_the_finding_no_surer() -> None:
    log = of_messages((0.3, 0.1, 0.0, 0.0), np.array([1.0, 0, 0, 0]), seed=14)
    places = np.arange(len(log)).reshape(300, 6).repeat(5, axis=0).ravel()
    often = {name: values[places] for name, values in vars(log).items()} | {"step": np.tile(np.arange(30), 300)}
    assert find_within_channel(Trajectories(**often)) == find_within_channel(log) != []


def test_one_shopper_alone_says_nothing_about_messages() -> None:
    log = of_messages((0.3, 0.1, 0.0, 0.0), np.array([1.0, 0, 0, 0]), seed=14)
    assert find_within_channel(Trajectories(**{name: values[:6] for name, values in vars(log).items()})) == []


def decision(number: int, **changes: Any) -> LoggedDecision:
    """Shoppers take turns, so rows of the log are in another order than those of trajectories."""
    actions = (JointAction("m", "push", 0), JointAction("m", "email", 0), "HOLD")
    context = {"recent_sends": number}
    values: dict[str, Any] = {
        "context": context,
        "probabilities": np.full(3, 1 / 3),
        "drawn": number % 3,
        "reward": 1.0,
    } | changes
    return LoggedDecision(f"e-{number}", f"s-{number % 2}", float(number), actions=actions, **values)


def told(**changes: Any) -> list[LoggedDecision]:
    return [decision(number, **(changes if number == 3 else {})) for number in range(8)]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"probabilities": np.full(3, 0.3)}, "row 4, column probabilities: sums to 0.9"),
        ({"probabilities": np.full(2, 0.5)}, "row 4, column probabilities: has 2 values for 3"),
        ({"drawn": 7}, "row 4, column drawn: the logged joint action"),
        ({"reward": np.nan}, "row 4, column reward: is nan"),
        ({"context": {"recent_sends": "two"}}, "row 4, column recent_sends: is 'two', must be a number of sends"),
        ({"context": {"recent_sends": np.nan}}, "row 4, column recent_sends: is nan, must be a number of sends"),
    ],
)
def test_bad_decisions_are_named_by_their_row_in_the_log(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadData, match=re.escape(complaint)):
        Trajectories.of_decisions(told(**changes), UniformTarget())


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (0.5, "row 4, event 'e-3', column target distribution: has the shape () for 3"),
        (None, "row 4, event 'e-3', column target distribution: has the shape () for 3"),
        ([0.5, 0.5], "row 4, event 'e-3', column target distribution: has the shape (2,) for 3"),
        ([0.3, 0.3, 0.3], "row 4, event 'e-3', column target distribution: sums to 0.9"),
        ([np.nan] * 3, "row 4, event 'e-3', column target distribution: holds a value that is no probability"),
        ([2.0, -1.0, 0.0], "row 4, event 'e-3', column target distribution: holds a value that is no probability"),
        ("often", "event 'e-3', column target distribution: is 'often', no array of probabilities"),
    ],
)
def test_a_bad_answer_of_a_target_is_named_by_its_decision(answer: Any, complaint: str) -> None:
    target = CallableTarget(lambda decision: answer if decision.event_id == "e-3" else np.full(3, 1 / 3))
    with pytest.raises(BadData, match=re.escape(complaint)):
        Trajectories.of_decisions(told(), target)


def test_a_log_without_the_number_of_recent_sends_has_no_trajectories() -> None:
    with pytest.raises(NotAvailable, match=r"need recent_sends in the context.*event 'e-3' tells device"):
        Trajectories.of_decisions(told(context={"device": "mobile"}), UniformTarget())


def test_trajectories_of_other_lengths_are_fine() -> None:
    log = WORLD.log(100, np.random.default_rng(10))
    kept = log.step < np.repeat(np.arange(100) % 12 + 1, 12)
    columns = {name: values[kept] for name, values in vars(log).items() if values is not None}
    short = Trajectories(**columns)
    for estimator in SEQUENTIAL_ESTIMATORS:
        assert np.isfinite(value(estimator, short))


def test_bad_trajectories_are_named() -> None:
    log = WORLD.log(5, np.random.default_rng(11))
    propensity = log.propensity.copy()
    propensity[7] = 0.0
    with pytest.raises(BadData, match="row 8, column propensity: is 0"):
        replace(log, propensity=propensity)
    with pytest.raises(BadData, match="row 4, column target: sums to 2"):
        replace(log, target=np.where(np.arange(len(log))[:, None] == 3, 1.0, log.target))
    with pytest.raises(BadData, match="row 4, column target: holds a value that is no probability"):
        replace(log, target=np.where(np.arange(len(log))[:, None] == 3, np.nan, log.target))
    with pytest.raises(BadData, match="row 4, column reward: is nan"):
        replace(log, reward=np.where(np.arange(len(log)) == 3, np.nan, log.reward))
    step = log.step.copy()
    step[5] = 9
    with pytest.raises(BadData, match="row 6, column step: is 9, 5 would follow"):
        replace(log, step=step)
    with pytest.raises(NoData):
        Trajectories(**{name: values[:0] for name, values in vars(log).items() if values is not None})
