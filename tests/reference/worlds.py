"""Small worlds for offline evaluation, whose truth is known by construction; for tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offline_eval import LoggedBatch
from offline_eval.sequential.trajectories import Trajectories

Array = np.ndarray


@dataclass(frozen=True)
class RewardWorld:
    """Contexts of a few kinds; click probabilities, logging and target distributions by kind, each (kinds, K)."""

    chance: Array
    logging: Array
    target: Array
    q_hat: Array

    @classmethod
    def of(cls, seed: int, *, kinds: int = 4, actions: int = 5, sharpness: float = 1.0) -> RewardWorld:
        random = np.random.default_rng(seed)
        chance = random.uniform(0.1, 0.9, (kinds, actions))
        logging = random.dirichlet(np.full(actions, 3.0), kinds) * 0.8 + 0.2 / actions
        scores = np.exp(sharpness * 4 * chance)
        target = 0.9 * scores / scores.sum(axis=1, keepdims=True) + 0.1 / actions
        # Wrong on purpose: doubly robust estimators must be right in spite of it.
        q_hat = np.clip(chance * 0.7 + 0.1 + random.normal(0, 0.05, chance.shape), 0.0, 1.0)
        return cls(chance, logging, target, q_hat)

    @property
    def truth(self) -> float:
        """The target's expected reward; contexts are uniform over the kinds."""
        return float((self.target * self.chance).sum(axis=1).mean())

    @property
    def logged_truth(self) -> float:
        """The logging policy's expected reward."""
        return float((self.logging * self.chance).sum(axis=1).mean())

    @property
    def max_weight(self) -> float:
        """The largest possible importance weight."""
        return float((self.target / self.logging).max())

    def log(self, count: int, random: np.random.Generator, shoppers: Array | None = None) -> LoggedBatch:
        kind = random.integers(0, len(self.chance), count)
        action = draw_actions(self.logging[kind], random)
        reward = (random.random(count) < self.chance[kind, action]).astype(np.float64)
        return LoggedBatch.of(
            reward=reward,
            propensity=self.logging[kind, action],
            target_propensity=self.target[kind, action],
            q_chosen=self.q_hat[kind, action],
            v_target=(self.target * self.q_hat).sum(axis=1)[kind],
            shoppers=shoppers,
        )


def draw_actions(distributions: Array, random: np.random.Generator) -> Array:
    """Draw one joint action from each distribution (n, K)."""
    cumulate_weights = distributions.cumsum(axis=1)
    unit = random.random(len(distributions))[:, None] * cumulate_weights[:, -1:]
    position: Array = np.minimum((cumulate_weights <= unit).sum(axis=1), distributions.shape[1] - 1)
    return position


@dataclass(frozen=True)
class Orders:
    """Rewards are margins of rare orders; the logging policy seldom chooses half of the target's choices.

    Attributes
    ----------
    chance
        Probability of an order in a row with the small weight.
    weight
        The larger of the two importance weights; 1 makes both of them 1.
    poverty
        Factor by which orders are rarer in rows with the large weight.
    """

    chance: float
    weight: float
    poverty: float = 1.0

    _VALUE_LOG_MEAN, _VALUE_LOG_SD = 3.2, 0.84

    @property
    def truth(self) -> float:
        """The target's expected reward."""
        mean = float(np.exp(self._VALUE_LOG_MEAN + self._VALUE_LOG_SD**2 / 2))
        return mean * self.chance * (1.0 if self.weight == 1.0 else 0.5 + 0.5 / self.poverty)

    def log(self, count: int, random: np.random.Generator) -> LoggedBatch:
        seldom = 0.5 / self.weight
        heavy = random.random(count) < seldom
        orders = random.random(count) < np.where(heavy & (self.weight > 1.0), self.chance / self.poverty, self.chance)
        values = np.exp(self._VALUE_LOG_MEAN + self._VALUE_LOG_SD * random.standard_normal(count))
        return LoggedBatch.of(
            reward=np.where(orders, values, 0.0),
            propensity=np.where(heavy, seldom, 1.0 - seldom),
            target_propensity=np.full(count, 0.5),
        )


@dataclass(frozen=True)
class Fatigue:
    """A world where sends tire: each send in the last 3 slots makes a click less likely. The actions are HOLD and send.

    The state has one bit for each of the last three decisions, 1 for a send: 8 states.
    """

    base: float = 0.12
    decay: float = 0.35
    logged: float = 0.35
    wanted: float = 0.75
    steps: int = 12

    def chance(self) -> Array:
        """Return the click probability of a send by state, (8,)."""
        return np.array([self.base * self.decay ** bin(state).count("1") for state in range(8)])

    def truth(self, send: float) -> float:
        """Return the expected reward per decision of a policy that sends with this probability."""
        mass, total = np.eye(8)[0], 0.0
        for _ in range(self.steps):
            total += send * float(mass @ self.chance())
            after = np.zeros(8)
            for state in range(8):
                after[(state << 1) & 7] += mass[state] * (1 - send)
                after[((state << 1) & 7) | 1] += mass[state] * send
            mass = after
        return total / self.steps

    def log(self, shoppers: int, random: np.random.Generator, wanted: float | None = None) -> Trajectories:
        """Draw a log of trajectories; the target sends with probability ``wanted``."""
        size = (shoppers, self.steps)
        sends = random.random(size) < self.logged
        states = np.zeros(size, dtype=np.int64)
        for step in range(1, self.steps):
            states[:, step] = ((states[:, step - 1] << 1) & 7) | sends[:, step - 1]
        clicks = sends & (random.random(size) < self.chance()[states])
        target = self.wanted if wanted is None else wanted
        return Trajectories(
            shopper=np.repeat(np.arange(shoppers), self.steps),
            step=np.tile(np.arange(self.steps), shoppers),
            state=states.ravel(),
            action=sends.ravel().astype(np.int64),
            reward=clicks.ravel().astype(np.float64),
            propensity=np.where(sends, self.logged, 1 - self.logged).ravel(),
            target=np.tile([1 - target, target], (sends.size, 1)),
        )
