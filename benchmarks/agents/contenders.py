"""Agents that do not learn, for comparisons in the environment: a constant policy, the business rule and a planner.

The constant policy and the planner have numbers of their own. Both are found on shoppers of other seeds than those of
the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.envs.actions import ALL_SENDS, CHANNELS, DELAYS_H, HOLD, SENDS, describe_action
from simulators.envs.episodes import play_returns
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.observations import OBSERVATIONS, TRIGGERS
from simulators.world.messages import STANDARD

MakeEnv = Callable[[int], NotificationVectorEnv]
"""Makes the environment of the comparison for a number of shoppers."""

PLANNER = "planner"
"""The name of the contender that knows the true probabilities."""

DAYS_BETWEEN = (1, 2, 3, 7)
"""How many days a constant policy can wait after a send."""

LOAD_PRICES = (0.0, 0.02, 0.04, 0.06, 0.08)
"""The prices that the planner's search tries, per push that is seen."""

_CHANNEL_CAPS = {"push": 4, "email": 4, "sms": 2, "webpush": 3, "inapp": 5}
_CAP = 7
_ANSWERS = np.array([[trigger in answered for trigger in TRIGGERS] for answered in STANDARD.triggers])
_EXPECTED_LOADS = np.append((STANDARD.channels.weight * STANDARD.channels.looked)[ALL_SENDS.channels], 0.0)


def _columns(first: str, count: int) -> slice:
    place = OBSERVATIONS.index(first)
    return slice(place, place + count)


_CONSENTS = _columns(f"consent_{CHANNELS[0]}", len(CHANNELS))
_WEEKLY_SENDS = _columns(f"sends_{CHANNELS[0]}", len(CHANNELS))
_RECENT_TRIGGERS = _columns(f"trigger_{TRIGGERS[0]}", len(TRIGGERS))
_SINCE_LAST_SEND = OBSERVATIONS.index("since_last_send")


def choose_surely(actions: Indices, mask: NDArray[np.int8]) -> FloatArray:
    """Return distributions that choose these actions, and HOLD where an action is illegal, (N, 201).

    >>> choose_surely(np.array([0, 1]), np.array([[1, 1, 1], [1, 0, 1]], dtype=np.int8))
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    rows = np.arange(len(actions))
    legal = np.where(mask[rows, actions] > 0, actions, mask.shape[1] - 1)
    p = np.zeros(mask.shape)
    p[rows, legal] = 1.0
    return p


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


class RuleAgent:
    """The business rule: the first message that answers a trigger of the last day, at once, on the first channel.

    The channels are those with consent, within the weekly caps of the example catalogue.
    """

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        recent = observations[:, _RECENT_TRIGGERS] > 0.0
        answers: BoolArray = (recent[:, None] & _ANSWERS).any(axis=2)  # (N, messages)
        sends = np.rint(observations[:, _WEEKLY_SENDS] * 7.0)
        free = (observations[:, _CONSENTS] > 0.0) & (sends < [_CHANNEL_CAPS[channel] for channel in CHANNELS])
        free &= sends.sum(axis=1, keepdims=True) < _CAP
        at_once = (answers.argmax(axis=1) * len(CHANNELS) + free.argmax(axis=1)) * len(DELAYS_H)
        return choose_surely(np.where(answers.any(axis=1) & free.any(axis=1), at_once, HOLD), mask)


@dataclass(frozen=True)
class PlannerAgent:
    """Knows the true expected reward of every action, and subtracts a price for the load that a send adds.

    The price stands for what a send costs later, by tiring the shopper. With a price of 0 the agent is greedy.
    """

    env: NotificationVectorEnv
    load_price: float

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        values = np.where(mask > 0, self.env.action_values(), -np.inf) - self.load_price * _EXPECTED_LOADS
        return choose_surely(values.argmax(axis=1), mask)


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


def find_load_price(make_env: MakeEnv, seed: int, shoppers: int = 100) -> float:
    """Return the price of `LOAD_PRICES` with which the planner earns the most."""
    values = []
    for price in LOAD_PRICES:
        env = make_env(shoppers)
        values.append(float(play_returns(env, PlannerAgent(env, price), seed).mean()))
    return LOAD_PRICES[int(np.argmax(values))]
