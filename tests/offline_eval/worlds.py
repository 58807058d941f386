"""Small seeded worlds that tests of offline evaluation share: their truth is known by construction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offline_eval import Rows

Array = np.ndarray


@dataclass(frozen=True)
class World:
    """Contexts of a few kinds; click probabilities, logging and target distributions by kind, each (kinds, K)."""

    chance: Array
    logging: Array
    target: Array
    q_hat: Array

    @classmethod
    def of(cls, seed: int, *, kinds: int = 4, actions: int = 5, sharpness: float = 1.0) -> World:
        random = np.random.default_rng(seed)
        chance = random.uniform(0.1, 0.9, (kinds, actions))
        logging = random.dirichlet(np.full(actions, 3.0), kinds) * 0.8 + 0.2 / actions
        scores = np.exp(sharpness * 4 * chance)
        target = 0.9 * scores / scores.sum(axis=1, keepdims=True) + 0.1 / actions
        # Wrong on purpose: doubly robust estimators must not mind.
        q_hat = np.clip(chance * 0.7 + 0.1 + random.normal(0, 0.05, chance.shape), 0.0, 1.0)
        return cls(chance, logging, target, q_hat)

    @property
    def truth(self) -> float:
        """The target's expected reward, contexts uniform over the kinds."""
        return float((self.target * self.chance).sum(axis=1).mean())

    @property
    def max_weight(self) -> float:
        return float((self.target / self.logging).max())

    def log(self, count: int, random: np.random.Generator, shoppers: Array | None = None) -> Rows:
        kind = random.integers(0, len(self.chance), count)
        action = drawn(self.logging[kind], random)
        reward = (random.random(count) < self.chance[kind, action]).astype(np.float64)
        return Rows.of(
            reward=reward,
            propensity=self.logging[kind, action],
            target_propensity=self.target[kind, action],
            q_chosen=self.q_hat[kind, action],
            v_target=(self.target * self.q_hat).sum(axis=1)[kind],
            shoppers=shoppers,
        )


def drawn(distributions: Array, random: np.random.Generator) -> Array:
    """Draw one joint action from each distribution (n, K)."""
    cumulated = distributions.cumsum(axis=1)
    unit = random.random(len(distributions))[:, None] * cumulated[:, -1:]
    position: Array = np.minimum((cumulated <= unit).sum(axis=1), distributions.shape[1] - 1)
    return position
