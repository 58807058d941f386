"""``fatigue_small``: a tabular world small enough to be exact.

2,000 users decide twelve times; sends of the last three slots tire. With three actions and eight states every
value is a sum over a table, so estimators that claim to handle fatigue can be checked against the exact truth.
An estimator that takes rows for independent has the wrong sign here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MEMORY = 3
"""Slots that a send tires for."""

STATES = 1 << MEMORY
"""States: one bit for each of the last slots, the latest lowest, set where something was sent."""


@dataclass(frozen=True)
class Log:
    """What a logging policy did and got: every array has shape (users, slots).

    Attributes
    ----------
    states, actions
        State before the decision, and the action drawn; 0 is HOLD.
    propensities
        Probability of the drawn action.
    rewards
        1 for a click, else 0.
    """

    states: IntArray
    actions: IntArray
    propensities: FloatArray
    rewards: FloatArray


@dataclass(frozen=True)
class FatigueSmall:
    """The world; a policy is an array of probabilities (slots, states, actions) or (states, actions).

    P(click | action, state) = base[action] · fade^(sends in the state); HOLD, action 0, is never clicked. Every user
    starts rested.

    Attributes
    ----------
    base
        Click probability of each send to a rested user.
    fade
        What each send of the last three slots leaves of it.

    Raises
    ------
    ValueError
        Naming the field that makes no world.

    Examples
    --------
    >>> world = FatigueSmall()
    >>> [round(world.value(policy), 4) for policy in (world.logging(), world.target(), world.best())]
    [0.0352, 0.032, 0.0781]
    """

    users: int = 2_000
    slots: int = 12
    base: tuple[float, ...] = (0.15, 0.25)
    fade: float = 0.25

    def __post_init__(self) -> None:
        for name in ("users", "slots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.base or not all(0.0 <= each <= 1.0 for each in self.base):
            raise ValueError(f"base must be probabilities, not {self.base}")
        if not 0.0 <= self.fade <= 1.0:
            raise ValueError(f"fade must lie between 0 and 1, not {self.fade}")

    @property
    def actions(self) -> int:
        """How many actions there are, HOLD included."""
        return len(self.base) + 1

    @cached_property
    def rewards(self) -> FloatArray:
        """Expected reward, (states, actions)."""
        sends = np.array([state.bit_count() for state in range(STATES)])
        return np.outer(self.fade**sends, [0.0, *self.base])

    @cached_property
    def following(self) -> IntArray:
        """The state that follows, (states, actions): it is certain."""
        states = np.arange(STATES)[:, None]
        sent = (np.arange(self.actions) > 0).astype(np.int64)
        return (states << 1 | sent) & (STATES - 1)

    def constant(self, probabilities: list[float]) -> FloatArray:
        """Make the policy that draws from the same distribution in every state."""
        return np.tile(np.asarray(probabilities, dtype=np.float64), (STATES, 1))

    def logging(self) -> FloatArray:
        """Give the policy that logs: it sends in two slots of five."""
        return self.constant([0.6, *(0.4 / len(self.base) for _ in self.base)])

    def target(self) -> FloatArray:
        """Give a policy that sends twice as often, mostly the last action, and is worth less for it."""
        others = [0.2 / max(1, len(self.base) - 1) for _ in self.base[:-1]]
        return self.constant([0.2, *others, 0.8 - sum(others)])

    def visits(self, policy: FloatArray) -> FloatArray:
        """Give the probability of each state before each decision, (slots, states)."""
        by_slot = self._by_slot(policy)
        visits = np.zeros((self.slots, STATES))
        visits[0, 0] = 1.0
        for slot in range(self.slots - 1):
            mass = visits[slot][:, None] * by_slot[slot]
            np.add.at(visits[slot + 1], self.following, mass)
        return visits

    def value(self, policy: FloatArray) -> float:
        """Give the exact mean reward per decision."""
        expected = (self._by_slot(policy) * self.rewards).sum(axis=2)
        return float((self.visits(policy) * expected).sum() / self.slots)

    def action_values(self, policy: FloatArray) -> FloatArray:
        """Give the exact sum of rewards from each decision on, (slots, states, actions), under a policy."""
        by_slot = self._by_slot(policy)
        values = np.zeros((self.slots + 1, STATES, self.actions))
        for slot in range(self.slots - 1, -1, -1):
            ahead = (by_slot[slot + 1] * values[slot + 1]).sum(axis=1) if slot + 1 < self.slots else np.zeros(STATES)
            values[slot] = self.rewards + ahead[self.following]
        return values[: self.slots]

    def best(self) -> FloatArray:
        """Give the best policy, (slots, states, actions), by backward induction; ties go to the lower number."""
        best = np.zeros((self.slots, STATES, self.actions))
        ahead = np.zeros(STATES)
        for slot in range(self.slots - 1, -1, -1):
            values = self.rewards + ahead[self.following]
            best[slot, np.arange(STATES), values.argmax(axis=1)] = 1.0
            ahead = values.max(axis=1)
        return best

    def sample(self, policy: FloatArray, seed: int) -> Log:
        """Draw a log under a policy."""
        random, by_slot = np.random.default_rng(seed), self._by_slot(policy)
        shape = (self.users, self.slots)
        log = Log(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape))
        state = np.zeros(self.users, dtype=np.int64)
        for slot in range(self.slots):
            probabilities = by_slot[slot, state]
            passed = probabilities.cumsum(axis=1) <= random.random((self.users, 1))
            action = np.minimum(passed.sum(axis=1), self.actions - 1)
            log.states[:, slot], log.actions[:, slot] = state, action
            log.propensities[:, slot] = probabilities[np.arange(self.users), action]
            log.rewards[:, slot] = random.random(self.users) < self.rewards[state, action]
            state = self.following[state, action]
        return log

    def _by_slot(self, policy: FloatArray) -> FloatArray:
        shape = (self.slots, STATES, self.actions)
        if policy.shape not in (shape, shape[1:]):
            raise ValueError(f"policy must have shape {shape} or {shape[1:]}, not {policy.shape}")
        if (policy < 0).any() or not np.allclose(policy.sum(axis=-1), 1.0):
            raise ValueError("policy must hold a distribution over the actions in every state")
        return np.broadcast_to(policy, shape)
