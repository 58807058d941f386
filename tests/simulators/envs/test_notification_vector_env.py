"""The environment for many shoppers: rows are single environments, whatever their number, seeds and autoreset."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.envs.actions import HOLD
from simulators.envs.notification_env import NotificationEnv
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.observations import OBSERVATIONS
from simulators.envs.registration import ENV_ID
from simulators.family.draw import FIRST_TESTED, draw_world
from simulators.scenarios.scenario import SCENARIOS, Scenario

JOINED = OBSERVATIONS.index("joined")
WORLD = draw_world(FIRST_TESTED + 1)
"""A world with rules for the reports of its shop."""


@given(st.sampled_from([*SCENARIOS.values(), WORLD]), st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=10)
def test_a_row_is_the_same_shopper_whatever_the_number_of_rows(
    scenario: Scenario, seed: int, few: int, more: int
) -> None:
    envs = [NotificationVectorEnv(count, scenario) for count in (few, few + more)]
    single = NotificationEnv(scenario)
    observed = [env.reset(seed=seed)[0] for env in envs]
    alone, info = single.reset(seed=seed)
    random = np.random.default_rng(seed)
    for _ in range(12):
        assert (observed[0] == observed[1][:few]).all()
        assert (observed[0][0] == alone).all()
        actions = random.integers(0, HOLD + 1, few + more)
        steps = [env.step(actions[: env.num_envs]) for env in envs]
        alone, reward, _, _, info = single.step(actions[0])
        observed = [step[0] for step in steps]
        assert (steps[0][1] == steps[1][1][:few]).all()
        assert steps[0][1][0] == reward
        assert (steps[0][4]["action_mask"][0] == info["action_mask"]).all()
        assert steps[0][4]["world"][0] == info["world"]


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("mask_in_observation", [False, True])
def test_rows_with_seeds_of_their_own_are_single_environments(mode: AutoresetMode, mask_in_observation: bool) -> None:
    """Two episodes and a half, also with wrong reports and late joiners, step by step the same as in SyncVectorEnv."""
    scenario, seeds, world = replace(SCENARIOS["new_shoppers"], weeks=1, reports=WORLD.reports), [3, 1, 3, 2**40], 5
    arguments: dict[str, Any] = {"scenario": scenario, "world": world, "mask_in_observation": mask_in_observation}
    ours = NotificationVectorEnv(4, **arguments, autoreset_mode=mode)
    theirs: Any = SyncVectorEnv([lambda: NotificationEnv(**arguments)] * 4, autoreset_mode=mode)
    random = np.random.default_rng(1)
    pairs = [ours.reset(seed=seeds), theirs.reset(seed=seeds)]
    assert_equal(*pairs)
    for _ in range(16):
        actions = random.integers(0, HOLD + 1, 4)
        assert_equal(ours.step(actions), theirs.step(actions))


def assert_equal(ours: Any, theirs: Any) -> None:
    if isinstance(ours, dict):
        assert ours.keys() == {name for name in theirs if name in ours}
        assert {name for name in theirs if name not in ours} <= {f"_{name}" for name in ours}
        for name in ours:
            assert_equal(ours[name], theirs[name])
    elif isinstance(ours, tuple) or ours.dtype == object:
        for one, other in zip(ours, theirs, strict=True):
            assert_equal(one, other)
    else:
        assert ours.tolist() == theirs.tolist()


def test_the_same_seed_gives_the_same_episode_and_the_next_step_begins_a_new_one() -> None:
    episodes = []
    for _ in range(2):
        env = gymnasium.make_vec(ENV_ID, num_envs=5, weeks=1)
        assert isinstance(env, NotificationVectorEnv)
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


def test_without_autoreset_the_end_is_the_end_until_a_reset() -> None:
    env = NotificationVectorEnv(3, weeks=1, autoreset_mode="Disabled")
    env.reset(seed=1)
    assert env.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    for _ in range(6):
        *_, truncated, _ = env.step(np.full(3, HOLD))
    assert truncated.all()
    with pytest.raises(gymnasium.error.ResetNeeded, match="have ended"):
        env.step(np.full(3, HOLD))
    env.reset(options={"reset_mask": truncated})
    assert not env.step(np.full(3, HOLD))[3].any()
    with pytest.raises(ValueError, match="not a valid AutoresetMode"):
        NotificationVectorEnv(autoreset_mode="Sometimes")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seed": [1, 2], "options": {"world": 9}}, "seed must be a number, or one number per row: 3, not 2"),
        ({"seed": 7, "options": {"world": -1}}, "world must be at least 0"),
        ({"options": {"wrld": 1}}, "options must be world or reset_mask, not wrld"),
        ({"options": {"reset_mask": np.array([True, False, True])}}, "reset_mask must be true for all rows"),
        ({"options": {"reset_mask": [True] * 3}}, "reset_mask must be an array of 3 booleans"),
        ({"options": {"reset_mask": np.ones(3)}}, "reset_mask must be an array of 3 booleans"),
        ({"options": {"reset_mask": np.ones(2, dtype=bool)}}, "reset_mask must be an array of 3 booleans"),
    ],
)
def test_resets_that_the_rows_cannot_have_are_refused_and_change_nothing(
    arguments: dict[str, Any], complaint: str
) -> None:
    env = NotificationVectorEnv(3, weeks=1)
    env.reset(seed=1)
    before = pickle.dumps(env)
    with pytest.raises(ValueError, match=complaint):
        env.reset(**arguments)
    assert pickle.dumps(env) == before


def test_nothing_falls_on_shoppers_before_they_join() -> None:
    """A year of random actions: no consent, send or reward before a row has joined, and many rows join late."""
    env = NotificationVectorEnv(24, "new_shoppers", weeks=52)
    observed, info = env.reset(seed=1)
    joins, random = env._running().world.population.joins, np.random.default_rng(2)
    truncated = np.zeros(24, dtype=np.bool_)
    while not truncated.all():
        early = observed[:, JOINED] == 0
        assert (early == (joins >= env._running().world.hour)).all()
        assert (info["action_mask"][early].sum(axis=1) == 1).all()
        observed, rewards, _, truncated, info = env.step(random.integers(0, HOLD + 1, 24))
        still = early & (observed[:, JOINED] == 0)
        assert not rewards[early].any()
        assert not observed[still, 3:13].any()
    assert (joins > 0).sum() > 5


def test_gymnasiums_wrappers_work() -> None:
    env = DictInfoToList(RecordEpisodeStatistics(NotificationVectorEnv(2, weeks=1, autoreset_mode="SameStep")))
    env.reset(seed=1)
    infos: Any = []
    for _ in range(6):
        *_, infos = env.step(np.full(2, HOLD))
    assert [info["episode"]["l"] for info in infos] == [6, 6]
    assert all(info["final_obs"].shape == (31,) for info in infos)


def test_the_specification_says_the_length_and_makes_the_same_environment() -> None:
    env = gymnasium.make_vec(ENV_ID, num_envs=2, weeks=3, max_episode_steps=10)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 10
    same = gymnasium.make_vec(env.spec)
    for one in (env, same):
        one.reset(seed=1)
        ends = [bool(one.step(np.full(2, HOLD))[3].all()) for _ in range(11)]
        assert ends == [False] * 9 + [True, False]
    assert gymnasium.make_vec(ENV_ID, weeks=3).spec.max_episode_steps == 20  # type: ignore[union-attr]


def test_the_texts_of_the_rows() -> None:
    env = NotificationVectorEnv(2, weeks=1, render_mode="ansi")
    env.reset(seed=1)
    env.step(np.array([0, HOLD]))
    texts = env.render()
    assert texts is not None
    assert ["hold" in text for text in texts] == [False, True]
    assert NotificationVectorEnv().render() is None


def test_impossible_vector_environments_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="num_envs must be"):
        NotificationVectorEnv(num_envs=0)
    with pytest.raises(ValueError, match="max_episode_steps must be"):
        NotificationVectorEnv(max_episode_steps=0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        NotificationVectorEnv().step(np.zeros(1, dtype=np.int64))
