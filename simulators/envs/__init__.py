"""Environments for reinforcement learning, and an example agent."""
