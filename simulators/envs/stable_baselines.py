"""The vectorised environment for Stable-Baselines3 and sb3-contrib, whose ``MaskablePPO`` reads the action masks.

Stable-Baselines3 is imported when an adapter is made, so that this module can be imported without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import AutoresetMode

from simulators.arrays import FloatArray, Indices
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.settings import Observation, row_of

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecEnv

Rows = int | Sequence[int] | None
"""Numbers of rows; None for all."""


def to_vec_env(env: NotificationVectorEnv) -> VecEnv:
    """Return an environment as a ``VecEnv``.

    >>> from simulators.envs.notification_vector_env import NotificationVectorEnv
    >>> env = NotificationVectorEnv(64, weeks=4, autoreset_mode="SameStep")
    >>> model = MaskablePPO("MlpPolicy", to_vec_env(env))  # doctest: +SKIP

    Raises
    ------
    ModuleNotFoundError
        When Stable-Baselines3 is not installed; the message says how to install it.
    ValueError
        When the autoreset mode is not SAME_STEP.
    """
    try:
        from stable_baselines3.common.vec_env import VecEnv
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to_vec_env needs Stable-Baselines3: pip install stable-baselines3") from error
    if env.metadata["autoreset_mode"] != AutoresetMode.SAME_STEP:
        raise ValueError('autoreset_mode must be "SameStep": a VecEnv returns the first observations at the end')
    return type("NotificationVecEnv", (VecEnvMethods, VecEnv), {})(env)


class VecEnvMethods:
    """The methods of a ``VecEnv`` over a vectorised environment."""

    def __init__(self, env: NotificationVectorEnv) -> None:
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)  # type: ignore[call-arg]

    _seeds: list[int | None]
    _options: list[dict[str, Any]]
    reset_infos: list[dict[str, Any]]

    def reset(self) -> Observation:
        """Begin episodes, with the seeds of ``seed()`` and the options of ``set_options()`` if they were called."""
        seeds = None if None in self._seeds else self._seeds
        observation, info = self.env.reset(seed=seeds, options=self._options[0])
        self.reset_infos = self._infos(info)
        self._reset_seeds()
        self._reset_options()
        return observation

    def _reset_seeds(self) -> None:
        self._seeds = [None] * self.env.num_envs

    def _reset_options(self) -> None:
        self._options = [{} for _ in range(self.env.num_envs)]

    def step_async(self, actions: Indices) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Observation, FloatArray, np.ndarray, list[dict[str, Any]]]:
        observation, rewards, _, truncated, info = self.env.step(self._actions)
        infos = self._infos(info.pop("final_info", info))
        if truncated.all():
            last = info.pop("final_obs")
            self.reset_infos = self._infos(info)
            for row, row_info in enumerate(infos):
                row_info |= {"terminal_observation": last[row], "TimeLimit.truncated": True}
        return observation, rewards.astype(np.float32), truncated, infos

    def _infos(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        columns = {name: column for name, column in info.items() if not name.startswith("_")}
        return [{name: column[row] for name, column in columns.items()} for row in range(self.env.num_envs)]

    def close(self) -> None:
        self.env.close()

    def get_attr(self, attr_name: str, indices: Rows = None) -> list[Any]:
        return [getattr(self.env, attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Rows = None) -> None:
        """Refuse to set an attribute of a row: the rows share one environment."""
        raise AttributeError(f"{attr_name} cannot be set by row: set it on .env, which all rows share")

    def env_method(self, method_name: str, *arguments: Any, indices: Rows = None, **named: Any) -> list[Any]:
        """Call a method of the environment once, and return the part of each row."""
        answers = getattr(self.env, method_name)(*arguments, **named)
        return [None if answers is None else row_of(answers, row) for row in self._rows(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Rows = None) -> list[bool]:
        return [False] * len(self._rows(indices))

    def get_images(self) -> list[None]:
        return [None] * self.env.num_envs

    def _rows(self, indices: Rows) -> Sequence[int]:
        if indices is None:
            return range(self.env.num_envs)
        return [indices] if isinstance(indices, int) else indices
