"""The adapters for other libraries, without those libraries: their ports are stand-ins of the documented shape."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import pytest

from simulators.envs.actions import HOLD
from simulators.envs.episodes import UniformAgent, play
from simulators.envs.minari_dataset import write_minari
from simulators.envs.notification_env import NotificationEnv
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.rllib import make_for_rllib
from simulators.envs.stable_baselines import to_vec_env

STEPS = 6


class VecEnv(ABC):
    """What Stable-Baselines3 2.9 asks of a vectorised environment."""

    def __init__(self, num_envs: int, observation_space: Any, action_space: Any) -> None:
        self.num_envs, self.observation_space, self.action_space = num_envs, observation_space, action_space
        self._seeds: list[int | None] = [None] * num_envs
        self._options: list[dict[str, Any]] = [{}] * num_envs
        self.reset_infos: list[dict[str, Any]] = [{}] * num_envs
        self.render_mode = self.get_attr("render_mode")[0]

    @abstractmethod
    def reset(self) -> Any: ...

    @abstractmethod
    def step_async(self, actions: Any) -> None: ...

    @abstractmethod
    def step_wait(self) -> Any: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]: ...

    @abstractmethod
    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None: ...

    @abstractmethod
    def env_method(self, method_name: str, *arguments: Any, indices: Any = None, **named: Any) -> list[Any]: ...

    @abstractmethod
    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]: ...


@pytest.fixture
def stable_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stable_baselines3", "stable_baselines3.common", "stable_baselines3.common.vec_env"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["stable_baselines3.common.vec_env"], "VecEnv", VecEnv, raising=False)


@pytest.mark.usefixtures("stable_baselines")
@pytest.mark.parametrize("mask_in_observation", [False, True])
def test_a_row_of_a_vec_env_is_a_single_environment(mask_in_observation: bool) -> None:
    arguments: dict[str, Any] = {"weeks": 1, "mask_in_observation": mask_in_observation}
    adapter: Any = to_vec_env(NotificationVectorEnv(3, autoreset_mode="SameStep", **arguments))
    single = NotificationEnv(**arguments)
    adapter._seeds, adapter._options = [8, 2, 5], [{"world": 4}] * 3
    observed, (first, info) = adapter.reset(), single.reset(seed=8, options={"world": 4})
    random = np.random.default_rng(1)
    for step in range(2 * STEPS):
        facts, mask = (observed["observations"], observed["action_mask"]) if mask_in_observation else (observed, None)
        assert (facts[0] == (first["observations"] if mask_in_observation else first)).all()
        assert mask is None or (mask[0] == info["action_mask"]).all()
        masks = adapter.env_method("action_masks")
        assert (np.stack(masks)[0] == info["action_mask"]).all()
        assert (adapter.env_method("action_masks", indices=2)[0] == masks[2]).all()
        actions = random.integers(0, HOLD + 1, 3)
        adapter.step_async(actions)
        observed, rewards, dones, infos = adapter.step_wait()
        first, reward, _, truncated, info = single.step(actions[0])
        assert rewards.dtype == np.float32
        assert rewards[0] == np.float32(reward)
        assert dones.tolist() == [truncated] * 3 == [(step + 1) % STEPS == 0] * 3
        assert infos[0]["illegal"] == info["illegal"]
        assert (infos[0]["action_mask"] == info["action_mask"]).all()
        if truncated:
            assert infos[0]["TimeLimit.truncated"]
            last = infos[0]["terminal_observation"]
            assert np.array_equal(last["observations"] if mask_in_observation else last, single_facts(first))
            first, info = single.reset()
            assert (adapter.reset_infos[0]["action_mask"] == info["action_mask"]).all()
    assert adapter._seeds == [None] * 3
    assert adapter._options == [{}] * 3
    assert adapter.get_attr("num_envs") == [3, 3, 3]
    assert adapter.env_is_wrapped(gymnasium.Wrapper, [0]) == [False]
    with pytest.raises(AttributeError, match="scenario cannot be set by row"):
        adapter.set_attr("scenario", "drift")
    adapter.close()


def single_facts(observed: Any) -> Any:
    return observed["observations"] if isinstance(observed, dict) else observed


@pytest.mark.usefixtures("stable_baselines")
def test_a_vec_env_needs_the_autoreset_of_its_library() -> None:
    with pytest.raises(ValueError, match="autoreset_mode must be"):
        to_vec_env(NotificationVectorEnv(3))


def test_a_library_that_is_not_installed_is_named_with_the_words_that_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("stable_baselines3", "minari"):
        monkeypatch.setitem(sys.modules, name, None)
    env = NotificationVectorEnv(2, weeks=1, autoreset_mode="SameStep")
    episode = play(env, UniformAgent(), seed=1)
    with pytest.raises(ModuleNotFoundError, match="pip install stable-baselines3"):
        to_vec_env(env)
    with pytest.raises(ModuleNotFoundError, match=r"pip install '.*\[minari\]'"):
        write_minari("a-v0", episode, NotificationEnv(weeks=1), "uniform")


@dataclass(frozen=True)
class EpisodeBuffer:
    """What Minari 0.5 asks of an episode."""

    id: int
    observations: Any
    actions: Any
    rewards: Any
    terminations: Any
    truncations: Any
    infos: dict[str, Any]


def test_a_minari_data_set_has_an_episode_per_shopper_with_propensities(monkeypatch: pytest.MonkeyPatch) -> None:
    minari, collector = ModuleType("minari"), ModuleType("minari.data_collector")
    monkeypatch.setitem(sys.modules, "minari", minari)
    monkeypatch.setitem(sys.modules, "minari.data_collector", collector)
    monkeypatch.setattr(collector, "EpisodeBuffer", EpisodeBuffer, raising=False)
    monkeypatch.setattr(minari, "create_dataset_from_buffers", lambda *data, **_: data, raising=False)
    episode = play(NotificationVectorEnv(3, weeks=1), UniformAgent(), seed=1)
    name, buffers = write_minari("uniform-v0", episode, NotificationEnv(weeks=1), "uniform")
    assert (name, len(buffers)) == ("uniform-v0", 3)
    for shopper, buffer in enumerate(buffers):
        assert len(buffer.observations) == STEPS + 1 == len(buffer.infos["action_mask"])
        assert buffer.truncations.tolist() == [False] * (STEPS - 1) + [True]
        legal = buffer.infos["action_mask"][:-1]
        assert legal[np.arange(STEPS), buffer.actions].all()
        *propensities, after_the_end = buffer.infos["propensity"]
        assert np.isnan(after_the_end)
        assert propensities == pytest.approx(1.0 / legal.sum(axis=1))
        assert (buffer.rewards == episode.rewards[:, shopper]).all()


def test_rllib_makes_an_environment_from_its_configuration() -> None:
    env = make_for_rllib({"weeks": 3, "world": 7})
    observed, info = env.reset(seed=1)
    assert set(observed) == {"observations", "action_mask"}
    assert info["world"] == 7
    assert make_for_rllib({"mask_in_observation": False}).observation_space.shape == (31,)
