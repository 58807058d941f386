"""Trajectories: bad decisions and bad trajectories are named."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from offline_eval.errors import BadData, NoData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.sequential.trajectories import Trajectories
from offline_eval.targets import CallableTarget, UniformTarget
from policies.catalogue.action_space import JointAction
from tests.reference.worlds import Fatigue

WORLD = Fatigue()


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


def make_log(**changes: Any) -> list[LoggedDecision]:
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
        Trajectories.of_decisions(make_log(**changes), UniformTarget())


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (0.5, "row 4, event 'e-3', column target distribution: has the shape () for 3"),
        (None, "row 4, event 'e-3', column target distribution: has the shape () for 3"),
        ([0.5, 0.5], "row 4, event 'e-3', column target distribution: has the shape (2,) for 3"),
        ([0.3, 0.3, 0.3], "row 4, event 'e-3', column target distribution: sums to 0.9"),
        ([np.nan] * 3, "row 4, event 'e-3', column target distribution: holds a value that is not a probability"),
        ([2.0, -1.0, 0.0], "row 4, event 'e-3', column target distribution: holds a value that is not a probability"),
        ("often", "event 'e-3', column target distribution: is 'often', not an array of probabilities"),
    ],
)
def test_a_bad_answer_of_a_target_is_named_by_its_decision(answer: Any, complaint: str) -> None:
    target = CallableTarget(lambda decision: answer if decision.event_id == "e-3" else np.full(3, 1 / 3))
    with pytest.raises(BadData, match=re.escape(complaint)):
        Trajectories.of_decisions(make_log(), target)


def test_a_log_without_the_number_of_recent_sends_has_no_trajectories() -> None:
    with pytest.raises(NotAvailable, match=r"need recent_sends in the context.*event 'e-3' tells device"):
        Trajectories.of_decisions(make_log(context={"device": "mobile"}), UniformTarget())


def test_bad_trajectories_are_named() -> None:
    log = WORLD.log(5, np.random.default_rng(11))
    propensity = log.propensity.copy()
    propensity[7] = 0.0
    with pytest.raises(BadData, match="row 8, column propensity: is 0"):
        replace(log, propensity=propensity)
    with pytest.raises(BadData, match="row 4, column target: sums to 2"):
        replace(log, target=np.where(np.arange(len(log))[:, None] == 3, 1.0, log.target))
    with pytest.raises(BadData, match="row 4, column target: holds a value that is not a probability"):
        replace(log, target=np.where(np.arange(len(log))[:, None] == 3, np.nan, log.target))
    with pytest.raises(BadData, match="row 4, column reward: is nan"):
        replace(log, reward=np.where(np.arange(len(log)) == 3, np.nan, log.reward))
    step = log.step.copy()
    step[5] = 9
    with pytest.raises(BadData, match="row 6, column step: is 9, 5 would follow"):
        replace(log, step=step)
    with pytest.raises(NoData):
        Trajectories(**{name: values[:0] for name, values in vars(log).items() if values is not None})
