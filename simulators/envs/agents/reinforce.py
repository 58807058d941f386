"""An example: REINFORCE with an action mask, in NumPy, on ``NotificationEnv-v0``.

The policy is a masked softmax over the 201 actions. A logit is a sum over slots, so that the agent learns about a
channel from all its messages and delays: logit(m, c, d) = x·(w_m + w_c + w_d), and x·w_hold for HOLD.

References
----------
Williams (1992), Simple statistical gradient-following algorithms for connectionist reinforcement learning.
Huang and Ontañón (2022), A closer look at invalid action masking in policy gradient algorithms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray
from simulators.envs.actions import ALL_SENDS, CHANNELS, DELAYS_H, HOLD, SENDS
from simulators.envs.episodes import Agent, play, play_returns
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.observations import OBSERVED
from simulators.world.messages import STANDARD

_WIDTHS = (len(STANDARD.names), len(CHANNELS), len(DELAYS_H), 1)
_FACTORS = np.zeros((SENDS + 1, sum(_WIDTHS)))
"""Which weights are summed for the logit of an action, (actions, slot values)."""
_FACTORS[np.arange(SENDS), ALL_SENDS.messages] = 1.0
_FACTORS[np.arange(SENDS), _WIDTHS[0] + ALL_SENDS.channels] = 1.0
_FACTORS[np.arange(SENDS), _WIDTHS[0] + _WIDTHS[1] + ALL_SENDS.delays] = 1.0
_FACTORS[HOLD, -1] = 1.0


@dataclass
class SoftmaxAgent:
    """A masked softmax; ``weights`` has shape (1 + OBSERVED, slot values)."""

    weights: FloatArray = field(default_factory=lambda: np.zeros((1 + OBSERVED, sum(_WIDTHS))))

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        logits = _add_bias(observations) @ self.weights @ _FACTORS.T
        logits = np.where(mask > 0, logits, -np.inf)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def gradient(
        self, observations: NDArray[np.float32], p: FloatArray, actions: NDArray[np.int64], gain: FloatArray
    ) -> FloatArray:
        """Return the gradient of Σ gain · log p(action)."""
        surprise = _FACTORS[actions] - p @ _FACTORS
        return np.asarray(_add_bias(observations).T @ (gain[:, None] * surprise))


def train(
    *, shoppers: int = 256, weeks: int = 3, episodes: int = 30, rate: float = 0.05, seed: int = 0
) -> SoftmaxAgent:
    """Train an agent by REINFORCE with Adam; the baseline is the mean return of the day.

    Parameters
    ----------
    rate
        Step size of Adam (Kingma and Ba, 2015).
    """
    env = NotificationVectorEnv(shoppers, weeks=weeks, reward="expected")
    agent = SoftmaxAgent()
    first, second = np.zeros_like(agent.weights), np.zeros_like(agent.weights)
    for episode in range(1, episodes + 1):
        steps = play(env, agent, seed * 1_000_003 + episode)
        gains = _discounted_returns(steps.rewards)
        gains = (gains - gains.mean(axis=1, keepdims=True)) / (gains.std() + 1e-9)
        columns = zip(steps.observations[:-1], steps.probabilities, steps.actions, gains, strict=True)
        gradient = sum((agent.gradient(*column) for column in columns), np.zeros_like(agent.weights)) / gains.size
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        step = first / (1 - 0.9**episode) / (np.sqrt(second / (1 - 0.99**episode)) + 1e-8)
        agent.weights += rate * step
    env.close()
    return agent


def _discounted_returns(rewards: FloatArray, discount: float = 0.8) -> FloatArray:
    """Return the discounted returns (T, N). The discount is strong, as a send has its effect within days."""
    returns = np.zeros_like(rewards)
    following = np.zeros(rewards.shape[1])
    for day in range(len(rewards) - 1, -1, -1):
        following = rewards[day] + discount * following
        returns[day] = following
    return returns


def evaluate(agent: Agent, *, shoppers: int, weeks: int, seed: int) -> FloatArray:
    """Return the sum of the true expected rewards by shopper, (N,), over an episode with shoppers of another seed."""
    env = NotificationVectorEnv(shoppers, weeks=weeks, reward="expected")
    returns = play_returns(env, agent, seed)
    env.close()
    return returns


def _add_bias(observations: NDArray[np.float32]) -> FloatArray:
    return np.concatenate([np.ones((len(observations), 1)), observations], axis=1)
