"""The planner of the environment: the true expected rewards, and a price for what a send costs later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray
from simulators.envs.actions import ALL_SENDS, CHANNELS, choose_surely
from simulators.envs.episodes import MakeEnv, play_returns
from simulators.envs.notification_vector_env import NotificationVectorEnv

LOAD_PRICES = (0.0, 0.02, 0.04, 0.06, 0.08)
"""The prices that the search tries, for the load of a push that is sent."""


@dataclass(frozen=True)
class PlannerAgent:
    """Knows the true expected reward of every action, and subtracts a price for the load that a send adds.

    The price stands for what a send costs later, by tiring the shopper. With a price of 0 the agent is greedy.
    """

    env: NotificationVectorEnv
    load_price: float

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        values = np.where(mask > 0, self.env.action_values(), -np.inf) - self.load_price * self._expected_loads()
        return choose_surely(values.argmax(axis=1), mask)

    def _expected_loads(self) -> FloatArray:
        """Return the load that every action adds in expectation, (201,); the scenario tells what a channel weighs."""
        channels = self.env.settings.scenario.parameters.channel_table(CHANNELS)
        return np.append((channels.weight * channels.looked)[ALL_SENDS.channels], 0.0)


def find_load_price(make_env: MakeEnv, seed: int, shoppers: int = 100) -> float:
    """Return the price of `LOAD_PRICES` with which the planner earns the most."""
    values = []
    for price in LOAD_PRICES:
        env = make_env(shoppers)
        values.append(float(play_returns(env, PlannerAgent(env, price), seed).mean()))
    return LOAD_PRICES[int(np.argmax(values))]
