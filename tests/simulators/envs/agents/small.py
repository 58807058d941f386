"""A small environment for the tests of agents."""

from __future__ import annotations

from simulators.envs.notification_vector_env import NotificationVectorEnv

WEEKS = 2


def make_env(shoppers: int) -> NotificationVectorEnv:
    return NotificationVectorEnv(shoppers, weeks=WEEKS, reward="expected", world=3)
