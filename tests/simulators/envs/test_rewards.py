"""Rewards: the expected ones have the mean of the realised ones, and the values of the actions are their sums."""

from __future__ import annotations

import copy

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.envs.actions import ALL_SENDS, HOLD, SENDS, action_rulebook
from simulators.envs.notification_env import NotificationEnv
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.world.messages import STANDARD, Messages


def draw_legal(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.asarray((random.random(mask.shape) * mask).argmax(axis=1))


def week_of_sends(reward: str, seed: int) -> float:
    """Mean reward of a week of random sends and two of waiting, in which the last orders come."""
    env, random = NotificationVectorEnv(1_500, weeks=4, reward=reward), np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    total = 0.0
    for day in range(22):
        legal = draw_legal(info["action_mask"], random)
        _, rewards, _, _, info = env.step(legal if day < 7 else np.full(1_500, HOLD))
        total += float(rewards.mean())
    return total


def test_expected_rewards_have_the_mean_of_realised_ones() -> None:
    """8 seeds of 1,500 shoppers: |t| < 6 with 7 degrees of freedom, false-alarm rate 5e-4."""
    gaps = [week_of_sends("realised", seed) - week_of_sends("expected", seed) for seed in range(8)]
    assert abs(np.mean(gaps)) < 6.0 * np.std(gaps, ddof=1) / 8**0.5


def test_the_value_of_an_action_is_the_mean_of_its_rewards() -> None:
    """1,000 shoppers after two days of sends, one random action each, and what it brings more than HOLD in a branch.

    The difference of the means is within 4.5 standard errors, false-alarm rate 7e-6.
    """
    env, random = NotificationVectorEnv(1_000, weeks=3, reward="expected"), np.random.default_rng(1)
    _, info = env.reset(seed=1)
    for _ in range(2):
        _, _, _, _, info = env.step(draw_legal(info["action_mask"], random))
    for _ in range(8):
        env.step(np.full(1_000, HOLD))  # nothing is on its way any more
    actions = draw_legal(env.action_masks(), random)
    values, branch = env.action_values(), copy.deepcopy(env)
    assert np.isnan(values[~env.action_masks()]).all()
    assert (values[:, HOLD] == 0.0).all()
    brought = np.zeros(1_000)
    for day in range(8):
        chosen, hold = actions if day == 0 else np.full(1_000, HOLD), np.full(1_000, HOLD)
        brought += env.step(chosen)[1] - branch.step(hold)[1]
    gaps = brought - values[np.arange(1_000), actions]
    assert brought.std() > 0.05
    assert abs(gaps.mean()) < 4.5 * gaps.std(ddof=1) / 1_000**0.5


def test_a_single_environment_has_the_values_of_its_row() -> None:
    env, single = NotificationVectorEnv(2), NotificationEnv()
    env.reset(seed=4)
    single.reset(seed=4)
    assert np.array_equal(single.action_values(), env.action_values()[0], equal_nan=True)


def test_the_catalogue_of_the_actions_is_the_messages_of_the_world() -> None:
    rulebook: Rulebook = action_rulebook()
    messages, space = Messages.of(rulebook), rulebook.space
    assert len(space) == SENDS
    for ours, theirs in (
        (ALL_SENDS.messages, space.message_of),
        (ALL_SENDS.channels, space.channel_of),
        (ALL_SENDS.delays, space.delay_of),
        (ALL_SENDS.costs, rulebook.costs),
        (STANDARD.offered, messages.offered),
    ):
        assert (ours == theirs).all()
    assert (messages.names, messages.categories) == (STANDARD.names, STANDARD.categories)
