"""MaskablePPO of sb3-contrib on the environment. The only module that imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback

from simulators.arrays import FloatArray
from simulators.envs.actions import choose_surely
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.stable_baselines import to_vec_env

VERSIONS = f"torch {torch.__version__}, sb3-contrib {version('sb3-contrib')}"

SHOPPERS = 128
"""Shoppers whose episodes are played at once."""

SETTINGS: dict[str, Any] = {
    "n_steps": 83,  # a whole episode of 12 weeks
    "batch_size": 1_328,
    "n_epochs": 5,
    "learning_rate": 1e-3,
    "gamma": 0.95,
}
"""What differs from the library's defaults."""


@dataclass(frozen=True)
class MaskedPpoAgent:
    """A trained model, which chooses its most probable action."""

    model: MaskablePPO

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        actions, _ = self.model.predict(observations, action_masks=mask.astype(np.bool_), deterministic=True)
        return choose_surely(actions, mask)


def train(
    env: NotificationVectorEnv, seed: int, steps: int, checkpoints: int, on_checkpoint: Callable[[MaskedPpoAgent], None]
) -> int:
    """Train a model; return the number of steps between two checkpoints, of which the first is before training.

    A step is a decision for one shopper. The number of steps is rounded to whole episodes of all shoppers.
    """
    torch.set_num_threads(1)
    rollouts = max(1, round(steps / checkpoints / env.num_envs / SETTINGS["n_steps"]))
    env.reset(seed=seed)
    model = MaskablePPO("MlpPolicy", to_vec_env(env), seed=seed, device="cpu", **SETTINGS)
    between = rollouts * env.num_envs * SETTINGS["n_steps"]
    model.learn(between * checkpoints, callback=_Checkpoints(between, on_checkpoint))
    on_checkpoint(MaskedPpoAgent(model))
    return int(between)


class _Checkpoints(BaseCallback):  # type: ignore[misc] # the library is no dependency
    """Calls a function before training, and whenever so many further steps were learned from."""

    def __init__(self, between: int, on_checkpoint: Callable[[MaskedPpoAgent], None]) -> None:
        super().__init__()
        self._between = between
        self._on_checkpoint = on_checkpoint

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self.num_timesteps % self._between == 0:
            self._on_checkpoint(MaskedPpoAgent(self.model))
