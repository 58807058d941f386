"""Reward models: cross-fitted by shopper, any model in the manner of scikit-learn."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from offline_eval.logs.decisions import HOLD, LoggedDecision
from offline_eval.reward_models import LogModel, cross_features, cross_fit, fold_of
from policies.catalogue.action_space import JointAction


class Remembering:
    """A model that remembers what it was fitted on."""

    seen: ClassVar[list[Any]] = []

    def fit(self, features: Any, reward: np.ndarray) -> None:
        self.mean = float(reward.mean())
        Remembering.seen.append((features.shape[0], set(reward.tolist())))

    def predict(self, features: Any) -> np.ndarray:
        return np.full(features.shape[0], self.mean)


def test_no_shopper_is_predicted_by_a_model_that_knows_it() -> None:
    """Rewards name their shopper, so a model's rewards say whom it was fitted on."""
    shoppers = np.repeat(np.arange(30), 4)
    Remembering.seen.clear()
    context, action = np.ones((120, 1)), np.zeros(120, dtype=np.int64)
    cross_fit(context, action, shoppers.astype(np.float64), 2, shoppers=shoppers, model=Remembering)
    for fold, (_, rewards) in enumerate(Remembering.seen):
        inside = {float(shopper) for shopper in range(30) if fold_of(shopper, 3) == fold}
        assert rewards.isdisjoint(inside)
        assert rewards | inside == set(map(float, range(30)))


def test_the_default_learns_how_context_and_action_go_together() -> None:
    random = np.random.default_rng(1)
    context = random.integers(0, 2, (6_000, 1)).astype(np.float64)
    action = random.integers(0, 3, 6_000)
    chance = np.array([[0.2, 0.5, 0.7], [0.8, 0.5, 0.1]])
    reward = (random.random(6_000) < chance[context[:, 0].astype(int), action]).astype(np.float64)
    predicted = cross_fit(context, action, reward, 3, shoppers=np.arange(6_000) % 500)
    np.testing.assert_allclose(predicted, chance[context[:, 0].astype(int)], atol=0.06)


def test_rewards_that_are_no_clicks_are_regressed() -> None:
    random = np.random.default_rng(2)
    context, action = random.random((2_000, 2)), random.integers(0, 2, 2_000)
    reward = 3 * context[:, 0] * (action == 1) - 1
    predicted = cross_fit(context, action, reward, 2)
    np.testing.assert_allclose(predicted[:, 1], 3 * context[:, 0] - 1, atol=0.2)
    np.testing.assert_allclose(predicted[:, 0], -1, atol=0.2)


def test_crossed_features_are_indicators_and_products() -> None:
    features = cross_features(np.array([[2.0, 3.0]]), np.array([1]), 2).toarray()
    assert features.tolist() == [[0, 1, 0, 0, 2, 3]]


def decision(number: int, context: str, drawn: int, reward: float) -> LoggedDecision:
    actions = (JointAction("a", "push", 0), JointAction("b", "email", 3600), HOLD)
    return LoggedDecision(
        f"e-{number}",
        f"s-{number % 97}",
        float(number),
        {"segment": context},
        actions,
        np.full(3, 1 / 3),
        drawn,
        reward,
    )


def test_the_model_of_a_log_learns_from_what_was_drawn() -> None:
    random = np.random.default_rng(3)
    chance = {"new": (0.8, 0.2, 0.5), "loyal": (0.1, 0.6, 0.5)}
    log = []
    for number in range(4_000):
        context, drawn = ("new", "loyal")[int(random.integers(0, 2))], int(random.integers(0, 3))
        log.append(decision(number, context, drawn, float(random.random() < chance[context][drawn])))
    model = LogModel().fit(log)
    for context, expected in chance.items():
        assert model.predict(decision(1, context, 0, 0.0)) == pytest.approx(np.array(expected), abs=0.08)


def test_a_log_without_any_reward_is_predicted_to_stay_so() -> None:
    log = [decision(number, "new", number % 3, 0.0) for number in range(60)]
    assert LogModel().fit(log).predict(log[0]).tolist() == [0.0, 0.0, 0.0]
