"""The parts of `make agents` that need no torch: contenders, their search, the curve, its table and its words."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.agents import contenders
from benchmarks.agents.learning_curve import LEARNER, LearningCurve
from simulators.envs.actions import HOLD, describe_action
from simulators.envs.episodes import play, play_returns
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.observations import OBSERVATIONS

WEEKS = 2


def make_env(shoppers: int) -> NotificationVectorEnv:
    return NotificationVectorEnv(shoppers, weeks=WEEKS, reward="expected", world=3)


@pytest.mark.parametrize("days", [1, 3, 7])
def test_a_constant_agent_sends_its_action_on_its_days(days: int) -> None:
    episode = play(make_env(20), contenders.ConstantAgent(27, days), seed=1)
    always_legal = episode.masks[:, :, 27].all(axis=0)
    expected = np.where(np.arange(len(episode.actions)) % days == 0, 27, HOLD)
    assert always_legal.any()
    assert (episode.actions[:, always_legal] == expected[:, None]).all()
    assert (episode.actions[episode.masks[:, :, 27] == 0] == HOLD).all()


def test_the_rule_answers_triggers_at_once_within_consents_and_caps() -> None:
    episode = play(make_env(200), contenders.RuleAgent(), seed=1)
    sends = episode.actions < HOLD
    facts = {name: episode.observations[:-1, :, place] for place, name in enumerate(OBSERVATIONS)}
    carts = facts["trigger_cart_abandoned"] > 0
    assert 0.02 < sends.mean() < 0.5
    words = [describe_action(int(action)) for action in episode.actions[sends & carts]]
    assert words
    assert all(word.startswith("cart_reminder") for word in words)
    assert all(word.endswith("after 0 h") for word in words)
    weekly = sum(facts[f"sends_{channel}"] * 7 for channel in ("push", "email", "sms", "webpush", "inapp"))
    assert np.max(weekly) <= 7.001
    assert (episode.masks[np.nonzero(sends)][np.arange(sends.sum()), episode.actions[sends]] == 1).all()


def test_the_planner_takes_the_best_action_and_a_price_makes_it_send_less() -> None:
    env = make_env(8)
    observations, info = env.reset(seed=4)
    best = np.nanargmax(env.action_values(), axis=1)
    chosen = contenders.PlannerAgent(env, 0.0).probabilities(observations, info["action_mask"]).argmax(axis=1)
    assert (chosen == best).all()
    dear = contenders.PlannerAgent(env, 1e6).probabilities(observations, info["action_mask"]).argmax(axis=1)
    assert (dear == HOLD).all()


def test_the_search_finds_a_constant_that_is_better_than_a_bad_one() -> None:
    best = contenders.find_constant(make_env, seed=1, shoppers=(1, 8))
    offer_by_sms = contenders.ConstantAgent(36, 1)
    assert describe_action(36) == "cart_offer by sms after 2 h"
    ours, theirs = (play_returns(make_env(100), agent, seed=9).mean() for agent in (best, offer_by_sms))
    assert ours > theirs


def test_returns_are_the_sums_of_the_rewards_of_the_same_episode() -> None:
    agent = contenders.RuleAgent()
    assert np.allclose(play_returns(make_env(5), agent, 2), play(make_env(5), agent, 2).rewards.sum(axis=0))


CURVE = LearningCurve(
    steps=[0, 1_000],
    learner=[[np.array([0.0, 1.0]), np.array([1.0, 0.0])], [np.array([3.0, 4.0]), np.array([4.1, 3.1])]],
    others={
        "rule": [np.array([1.0, 2.0]), np.array([2.0, 1.0])],
        "planner": [np.array([9.0, 8.0]), np.array([9.0, 10.0])],
    },
)


def test_the_curve_pairs_the_contenders_shopper_by_shopper() -> None:
    results = {one.name: one for one in CURVE.to_measurements()}
    assert results[f"agents.{LEARNER}.value"].value == pytest.approx(3.55)
    more = results[f"agents.{LEARNER}.minus_rule"]
    assert more.value == pytest.approx(2.05)
    assert more.low is not None
    assert more.low > 0  # the shoppers differ by 1, the differences by .1
    curve = {one.name: one.value for one in CURVE.curve_measurements()}
    assert curve["agents.curve.0.minus_rule"] == pytest.approx(-1.0)
    assert CURVE.minus_rule()[LEARNER][1] == CURVE.difference(1, "rule")
    assert [one.value for one in CURVE.minus_rule()["rule"]] == [0.0, 0.0]


def test_the_words_say_who_earns_more_and_where_nothing_is_decided() -> None:
    words = CURVE.describe()
    assert words.startswith("After 1,000 steps MaskablePPO earns more than rule: 2.05 (")
    assert "less than planner" in words or "neither clearly more nor less than planner" in words
    start, end = CURVE.to_table().splitlines()[2:]
    assert start.startswith("| 0 | 0.5 | -1 (")
    assert end.startswith("| 1,000 | 3.55 | 2.05 (")
