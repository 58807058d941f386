"""``fatigue_small``: a tabular world small enough to be exact.

2,000 users with twelve decisions each; a send in the last three slots makes a click less likely. With three actions
and eight states every value is a sum over a table. Estimators that claim to handle fatigue can therefore be checked
against the exact truth. An estimator that treats rows as independent has the wrong sign here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray

IntArray = NDArray[np.int64]

MEMORY = 3
"""Number of slots for which a send makes clicks less likely."""

STATES = 1 << MEMORY
"""Number of states. A state has one bit for each of the last slots, 1 for a send; the lowest bit is the latest slot."""


@dataclass(frozen=True)
class FatigueLog:
    """The log of a policy; every array has shape (users, slots).

    Attributes
    ----------
    states, actions
        State before the decision, and the drawn action; 0 is HOLD.
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
    """The world. A policy is an array of probabilities (slots, states, actions) or (states, actions).

    P(click | action, state) = base[action] · fade^(sends in the state). HOLD, action 0, has no clicks. Every user
    begins without sends.

    Attributes
    ----------
    base
        Click probability of each send to a user without sends in the last three slots.
    fade
        Factor on the click probability for each send in the last three slots.

    Raises
    ------
    ValueError
        When a field has an impossible value; the message names the field.

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
        if not self.base or not all(0.0 <= chance <= 1.0 for chance in self.base):
            raise ValueError(f"base must be probabilities, not {self.base}")
        if not 0.0 <= self.fade <= 1.0:
            raise ValueError(f"fade must lie between 0 and 1, not {self.fade}")

    @property
    def actions(self) -> int:
        """The number of actions, including HOLD."""
        return len(self.base) + 1

    @cached_property
    def rewards(self) -> FloatArray:
        """Expected reward, (states, actions)."""
        sends = np.array([state.bit_count() for state in range(STATES)])
        return np.outer(self.fade**sends, [0.0, *self.base])

    @cached_property
    def next_states(self) -> IntArray:
        """The next state of each state and action, (states, actions)."""
        states = np.arange(STATES)[:, None]
        sent = (np.arange(self.actions) > 0).astype(np.int64)
        return (states << 1 | sent) & (STATES - 1)

    def constant(self, probabilities: list[float]) -> FloatArray:
        """Return the policy that draws from the same distribution in every state."""
        return np.tile(np.asarray(probabilities, dtype=np.float64), (STATES, 1))

    def logging(self) -> FloatArray:
        """Return the logging policy: it sends in two of five slots."""
        return self.constant([0.6, *(0.4 / len(self.base) for _ in self.base)])

    def target(self) -> FloatArray:
        """Return a target policy that sends twice as often, mostly the last action, and has a lower value."""
        others = [0.2 / max(1, len(self.base) - 1) for _ in self.base[:-1]]
        return self.constant([0.2, *others, 0.8 - sum(others)])

    def visits(self, policy: FloatArray) -> FloatArray:
        """Return the probability of each state before each decision, (slots, states)."""
        by_slot = self._by_slot(policy)
        visits = np.zeros((self.slots, STATES))
        visits[0, 0] = 1.0
        for slot in range(self.slots - 1):
            mass = visits[slot][:, None] * by_slot[slot]
            np.add.at(visits[slot + 1], self.next_states, mass)
        return visits

    def value(self, policy: FloatArray) -> float:
        """Return the exact mean reward per decision."""
        expected = (self._by_slot(policy) * self.rewards).sum(axis=2)
        return float((self.visits(policy) * expected).sum() / self.slots)

    def action_values(self, policy: FloatArray) -> FloatArray:
        """Return the exact sum of rewards from each decision on, (slots, states, actions), under a policy."""
        by_slot = self._by_slot(policy)
        values = np.zeros((self.slots + 1, STATES, self.actions))
        for slot in range(self.slots - 1, -1, -1):
            ahead = (by_slot[slot + 1] * values[slot + 1]).sum(axis=1) if slot + 1 < self.slots else np.zeros(STATES)
            values[slot] = self.rewards + ahead[self.next_states]
        return values[: self.slots]

    def best(self) -> FloatArray:
        """Return the best policy, (slots, states, actions), by backward induction; ties go to the lower number."""
        best = np.zeros((self.slots, STATES, self.actions))
        ahead = np.zeros(STATES)
        for slot in range(self.slots - 1, -1, -1):
            values = self.rewards + ahead[self.next_states]
            best[slot, np.arange(STATES), values.argmax(axis=1)] = 1.0
            ahead = values.max(axis=1)
        return best

    def sample(self, policy: FloatArray, seed: int) -> FatigueLog:
        """Draw a log under a policy."""
        random, by_slot = np.random.default_rng(seed), self._by_slot(policy)
        shape = (self.users, self.slots)
        log = FatigueLog(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape))
        state = np.zeros(self.users, dtype=np.int64)
        for slot in range(self.slots):
            probabilities = by_slot[slot, state]
            passed = probabilities.cumsum(axis=1) <= random.random((self.users, 1))
            action = np.minimum(passed.sum(axis=1), self.actions - 1)
            log.states[:, slot], log.actions[:, slot] = state, action
            log.propensities[:, slot] = probabilities[np.arange(self.users), action]
            log.rewards[:, slot] = random.random(self.users) < self.rewards[state, action]
            state = self.next_states[state, action]
        return log

    def _by_slot(self, policy: FloatArray) -> FloatArray:
        shape = (self.slots, STATES, self.actions)
        if policy.shape not in (shape, shape[1:]):
            raise ValueError(f"policy must have shape {shape} or {shape[1:]}, not {policy.shape}")
        if (policy < 0).any() or not np.allclose(policy.sum(axis=-1), 1.0):
            raise ValueError("policy must hold a distribution over the actions in every state")
        return np.broadcast_to(policy, shape)
