"""Shares of the shoppers: who has a trait of a shop's reports."""

from __future__ import annotations

from simulators.arrays import BoolArray
from simulators.world.world_state import WorldState


def draw_share(state: WorldState, name: str, share: float) -> BoolArray:
    """Return which shoppers have a trait that a share of all shoppers has, (N,)."""
    return state.streams.draw_column(name, state.size, lambda random, count: random.random(count) < share)
