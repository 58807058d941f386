"""Registers ``NotificationEnv-v0`` with Gymnasium."""

from __future__ import annotations

import gymnasium

ENV_ID = "NotificationEnv-v0"


def register() -> None:
    """Register the environment for ``gymnasium.make`` and ``gymnasium.make_vec``.

    The length of an episode depends on the arguments: it stands in the specification of a made environment.
    """
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(
            ENV_ID,
            entry_point="simulators.envs.notification_env:NotificationEnv",
            vector_entry_point="simulators.envs.notification_vector_env:NotificationVectorEnv",
        )
