"""Environments for reinforcement learning, and an example agent.

Importing this package registers the environment, so ``gymnasium.make("simulators.envs:NotificationEnv-v0")`` needs no
import of its own.
"""

from simulators.envs.registration import register

register()
