"""Episodes: an agent plays with every shopper of a vectorised environment, and each step keeps its distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray, Indices
from simulators.envs.actions import HOLD
from simulators.envs.notification_vector_env import NotificationVectorEnv

MakeEnv = Callable[[int], NotificationVectorEnv]
"""Makes an environment for a number of shoppers."""


class Agent(Protocol):
    """Chooses actions for N shoppers."""

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        """Return the distributions over the actions, (N, 201)."""
        ...


class UniformAgent:
    """Draws every legal action with the same probability."""

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        return np.asarray(mask / mask.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Episode:
    """An episode of N shoppers with T steps.

    Attributes
    ----------
    observations
        Before each step, and after the last one, (T + 1, N, OBSERVED).
    masks, probabilities
        The legal actions, and the distribution that each action was drawn from, (T, N, 201).
    actions, rewards
        (T, N).
    """

    observations: NDArray[np.float32]
    masks: NDArray[np.int8]
    probabilities: FloatArray
    actions: NDArray[np.int64]
    rewards: FloatArray

    @property
    def propensities(self) -> FloatArray:
        """The probability of each drawn action, (T, N)."""
        return np.take_along_axis(self.probabilities, self.actions[..., None], axis=2)[..., 0]


def play(env: NotificationVectorEnv, agent: Agent, seed: int, world: int | None = None) -> Episode:
    """Play one episode with every shopper of an environment.

    Parameters
    ----------
    seed
        Decides the shoppers and the draws of the actions.
    world
        The number of the world, which the environment keeps; None for the world that the environment keeps already, or
        else for one that the seed decides.
    """
    steps = list(_steps(env, agent, seed, {} if world is None else {"world": world}))
    observations, masks, probabilities, actions, rewards, after = zip(*steps, strict=True)
    return Episode(
        np.stack([*observations, after[-1]]),
        np.stack(masks),
        np.stack(probabilities),
        np.stack(actions),
        np.stack(rewards),
    )


def play_returns(env: NotificationVectorEnv, agent: Agent, seed: int) -> FloatArray:
    """Play one episode as `play` does, and return only the sum of the rewards by shopper, (N,)."""
    total = np.zeros(env.num_envs)
    for *_, rewards, _ in _steps(env, agent, seed, {}):
        total += rewards
    return total


_Step = tuple[NDArray[np.float32], NDArray[np.int8], FloatArray, Indices, FloatArray, NDArray[np.float32]]
"""Observations, masks, distributions, actions, rewards, and the observations after the step."""


def _steps(env: NotificationVectorEnv, agent: Agent, seed: int, options: dict[str, int]) -> Iterator[_Step]:
    if env.settings.mask_in_observation:
        raise ValueError("mask_in_observation must be False: an episode keeps the masks apart")
    random = np.random.default_rng([seed, 1])  # other numbers than those of the environment
    observation, info = env.reset(seed=seed, options=options)
    truncated = np.zeros(env.num_envs, dtype=np.bool_)
    while not truncated.any():
        mask = info["action_mask"]
        p = agent.probabilities(observation, mask)
        actions = np.minimum((p.cumsum(axis=1) < random.random((len(p), 1))).sum(axis=1), HOLD)
        after, rewards, _, truncated, info = env.step(actions)
        if "final_obs" in info:  # of the autoreset SAME_STEP, one array per row
            after = np.stack(list(info["final_obs"]))
        yield observation, mask, p, actions, rewards, after
        observation = after
