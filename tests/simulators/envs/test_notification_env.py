"""The environments: Gymnasium's own checker, the mask, determinism, and an agent that learns."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simulators.envs.daily_decisions import HOLD, OBSERVED, TRIGGERS
from simulators.envs.notification_env import ENV_ID, NotificationEnv, NotificationVectorEnv
from simulators.envs.reinforce import UniformAgent, evaluate, train


def vector(shoppers: int, **changes: Any) -> gymnasium.vector.VectorEnv:
    return gymnasium.make_vec(ENV_ID, num_envs=shoppers, vectorization_mode="vector_entry_point", **changes)


@pytest.mark.parametrize("reward", ["realised", "expected"])
def test_the_single_environment_passes_gymnasiums_checker(reward: str) -> None:
    check_env(gymnasium.make(ENV_ID, weeks=1, reward=reward).unwrapped)


def test_the_docstring_is_the_environment() -> None:
    text, env = NotificationEnv.__doc__ or "", NotificationEnv()
    assert f"Discrete({env.action_space.n})" in text  # type: ignore[attr-defined]
    assert f"Box({OBSERVED})" in text
    assert all(trigger in text for trigger in TRIGGERS)
    assert "Version history" in text


def test_the_same_seed_gives_the_same_episode_and_the_vector_one_resets_by_itself() -> None:
    episodes = []
    for _ in range(2):
        env = vector(5, weeks=1)
        _, info = env.reset(seed=3)
        env.action_space.seed(4)
        steps = []
        for _ in range(9):
            observed, rewards, terminated, truncated, info = env.step(env.action_space.sample())
            assert env.observation_space.contains(observed)
            assert info["action_mask"].shape == (5, HOLD + 1)
            steps.append((observed.tolist(), rewards.tolist(), truncated.tolist()))
            assert not terminated.any()
        episodes.append(steps)
        env.close()
    assert episodes[0] == episodes[1]
    ends = [all(truncated) for _, _, truncated in episodes[0]]
    assert ends == [False] * 5 + [True] + [False] * 3
    assert episodes[0][6][1] == [0.0] * 5, "the step after the end starts a new episode"


def test_the_mask_is_consent_and_an_illegal_action_sends_nothing() -> None:
    env = NotificationEnv(weeks=2)
    observed, info = env.reset(seed=1)
    mask = info["action_mask"]
    by_channel = mask[:HOLD].reshape(8, 5, 5)
    assert (by_channel == observed[3:8][None, :, None]).all()
    assert mask[HOLD] == 1
    illegal = int(np.flatnonzero(mask == 0)[0])
    observed, _, _, _, info = env.step(np.int64(illegal))
    assert info["illegal"]
    assert not observed[8:13].any(), "nothing was sent"
    legal = int(np.flatnonzero(mask)[0])
    observed, _, _, _, info = env.step(np.int64(legal))
    assert not info["illegal"]
    assert observed[8:13].sum() > 0


def week_of_sends(reward: str, seed: int) -> float:
    """Mean reward of a week of random sends and two of waiting, in which the last orders come."""
    env, random = vector(1_500, weeks=4, reward=reward), np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    total = 0.0
    for day in range(22):
        mask = info["action_mask"]
        legal = (random.random(mask.shape) * mask).argmax(axis=1)
        _, rewards, _, _, info = env.step(legal if day < 7 else np.full(1_500, HOLD))
        total += float(rewards.mean())
    env.close()
    return total


def test_expected_rewards_have_the_mean_of_realised_ones() -> None:
    """8 seeds of 1,500 shoppers: |t| < 6 with 7 degrees of freedom, false-alarm rate 5e-4."""
    gaps = [week_of_sends("realised", seed) - week_of_sends("expected", seed) for seed in range(8)]
    assert abs(np.mean(gaps)) < 6.0 * np.std(gaps, ddof=1) / 8**0.5


def test_masked_reinforce_beats_random() -> None:
    """The same 600 shoppers, not trained on, paired: the lower 99.99 % bound of the difference is above zero."""
    agent = train(shoppers=128, weeks=2, episodes=15, seed=1)
    paired = evaluate(agent, shoppers=600, weeks=3, seed=99) - evaluate(UniformAgent(), shoppers=600, weeks=3, seed=99)
    assert paired.mean() - 3.7 * paired.std(ddof=1) / 600**0.5 > 0.0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weeks": 0}, "weeks must lie"),
        ({"scenario": "sunny"}, "scenario must be one of"),
        ({"reward": "best"}, "reward must be one of"),
    ],
)
def test_impossible_environments_are_refused_by_name(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        NotificationEnv(**changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=complaint):
        NotificationVectorEnv(**changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="num_envs must be"):
        NotificationVectorEnv(num_envs=0)


def test_a_step_needs_a_reset() -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        NotificationEnv().step(np.int64(0))
    with pytest.raises(gymnasium.error.ResetNeeded):
        NotificationVectorEnv().step(np.zeros(1, dtype=np.int64))
