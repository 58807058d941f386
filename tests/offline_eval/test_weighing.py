"""Weighing: weights by whole joint actions and by slots."""

from __future__ import annotations

import numpy as np
import pytest

from offline_eval import Totals, make_estimators
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.targets import CallableTarget
from offline_eval.weighing import Weighing
from policies.catalogue.action_space import JointAction

ACTIONS = tuple(JointAction(message, channel, 0) for channel in ("push", "email") for message in ("hint", "reminder"))


def decision(number: int, drawn: int, logged: np.ndarray, reward: float = 0.0) -> LoggedDecision:
    return LoggedDecision(f"e-{number}", f"s-{number}", float(number), {}, ACTIONS, logged, drawn, reward)


@pytest.mark.parametrize("slots", [(), ("channel",)])
@pytest.mark.parametrize("logged", [(0.4, 0.1, 0.3, 0.2), (0.5, 0.0, 0.3, 0.2)])
def test_weights_by_slots_are_unbiased_with_every_estimator_that_is(
    slots: tuple[str, ...], logged: tuple[float, ...]
) -> None:
    """Rewards depend on the channel alone, the reward model's mistakes do not; each row as often as it is drawn."""
    wanted, reward = np.array([0.1, 0.6, 0.1, 0.2]), np.array([1.0, 1.0, 0.25, 0.25])
    weighing = Weighing(CallableTarget(lambda _: wanted), predict=lambda _: np.array([0.9, 0.1, 0.3, 0.8]), slots=slots)
    times = np.repeat(np.arange(4), (np.array(logged) * 10).astype(int))
    log = [decision(number, drawn, np.array(logged), reward[drawn]) for number, drawn in enumerate(times.tolist())]
    names = ["ipw", "snipw", "dr", "sndr", "switch-dr", "dr-os"]
    estimators = make_estimators(names, tau=99, shrinkage=1e12)
    totals = Totals(estimators)
    (rows,) = weighing.batches(log)
    totals.add(rows)
    supported = bool(slots) or min(logged) > 0
    for estimator in estimators if supported else ():
        assert estimator.value(totals.sample().means) == pytest.approx(wanted @ reward), estimator
    assert rows.unsupported is not None
    assert rows.unsupported == pytest.approx(np.full(10, 0.0 if supported else 0.6))


def test_a_slot_value_that_is_never_logged_is_without_support() -> None:
    wanted, logged = np.array([0.5, 0.0, 0.1, 0.4]), np.array([0.5, 0.5, 0.0, 0.0])
    predicted = np.array([0.2, 0.4, 1.0, 0.5])
    weighing = Weighing(CallableTarget(lambda _: wanted), predict=lambda _: predicted, slots=("channel",))
    (rows,) = weighing.batches([decision(1, 0, logged)])
    assert rows.unsupported is not None
    assert rows.unsupported[0] == pytest.approx(0.5)
    assert rows.q_chosen[0] == pytest.approx(0.3)
    assert rows.v_target[0] == pytest.approx(0.5 * 0.3 + 0.1 * 1.0 + 0.4 * 0.5)
