"""The environment for RLlib, whose action masking reads the mask from the observation.

Nothing of Ray is imported here: RLlib takes a function that makes an environment. With Ray installed::

    from ray.tune.registry import register_env

    register_env("NotificationEnv-v0", make_for_rllib)
    config = PPOConfig().environment("NotificationEnv-v0", env_config={"weeks": 4, "reward": "expected"})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.envs.notification_env import NotificationEnv


def make_for_rllib(config: Mapping[str, Any]) -> NotificationEnv:
    """Return an environment with the arguments of RLlib's ``env_config``.

    Its observations are dictionaries of ``"observations"`` and ``"action_mask"``, unless the arguments say otherwise.

    >>> make_for_rllib({"weeks": 4}).observation_space["action_mask"].shape
    (201,)
    """
    return NotificationEnv(**{"mask_in_observation": True, **config})
