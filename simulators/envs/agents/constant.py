"""The constant policy: one action again and again. The best one is found by trying all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray, Indices
from simulators.envs.actions import HOLD, SENDS, choose_surely, describe_action
from simulators.envs.episodes import MakeEnv, play_returns
from simulators.envs.observations import OBSERVATIONS

DAYS_BETWEEN = (1, 2, 3, 7)
"""How many days a constant policy can wait after a send."""

_SINCE_LAST_SEND = OBSERVATIONS.index("since_last_send")


@dataclass(frozen=True)
class ConstantAgent:
    """Sends one action, again after a number of days; both may differ by shopper, (N,) or a number."""

    action: Indices | int
    days: Indices | int

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        is_due = observations[:, _SINCE_LAST_SEND] * 7.0 > np.asarray(self.days) - 0.5
        return choose_surely(np.where(is_due, self.action, HOLD), mask)

    def describe(self) -> str:
        """Return one action and one number of days in words.

        >>> ConstantAgent(27, 7).describe()
        'cart_offer by push after 8 h, every 7 days'
        """
        return f"{describe_action(int(self.action))}, every {'day' if self.days == 1 else f'{self.days} days'}"


def find_constant(make_env: MakeEnv, seed: int, shoppers: Sequence[int] = (16, 64, 640)) -> ConstantAgent:
    """Return the best constant policy, by successive halving: ever fewer candidates on ever more shoppers.

    Parameters
    ----------
    shoppers
        How many shoppers try a candidate in each round. After a round, a tenth of the candidates is left.
    """
    actions, days = (grid.ravel() for grid in np.meshgrid(np.arange(SENDS), DAYS_BETWEEN, indexing="ij"))
    for number, count in enumerate(shoppers):
        agent = ConstantAgent(np.tile(actions, count), np.tile(days, count))
        returns = play_returns(make_env(len(actions) * count), agent, seed + number)
        order = np.argsort(-returns.reshape(count, -1).mean(axis=0), kind="stable")
        kept = order[: max(1, len(actions) // 10)]
        actions, days = actions[kept], days[kept]
    return ConstantAgent(int(actions[0]), int(days[0]))
