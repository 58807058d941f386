"""Episodes: an agent plays with every shopper of a vectorised environment, and each step keeps its distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray
from simulators.envs.actions import HOLD
from simulators.envs.notification_vector_env import NotificationVectorEnv


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
        The number of the world; None for a world that the seed decides.
    """
    if env.settings.mask_in_observation:
        raise ValueError("mask_in_observation must be False: an episode keeps the masks apart")
    random = np.random.default_rng([seed, 1])  # other numbers than those of the environment
    observation, info = env.reset(seed=seed, options={"world": world})
    observations, masks, distributions, actions, rewards = [observation], [], [], [], []
    truncated = np.zeros(env.num_envs, dtype=np.bool_)
    while not truncated.any():
        p = agent.probabilities(observations[-1], info["action_mask"])
        chosen = np.minimum((p.cumsum(axis=1) < random.random((len(p), 1))).sum(axis=1), HOLD)
        masks.append(info["action_mask"])
        distributions.append(p)
        actions.append(chosen)
        observation, reward, _, truncated, info = env.step(chosen)
        observations.append(info.get("final_obs", observation))
        rewards.append(reward)
    last = np.stack(list(observations[-1]))
    return Episode(
        np.stack([*observations[:-1], last]),
        np.stack(masks),
        np.stack(distributions),
        np.stack(actions),
        np.stack(rewards),
    )
