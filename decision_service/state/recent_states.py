"""The states that a store read or wrote last."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from decision_service.state.shopper_keys import ShopperKey
from policies.shopper.state import ShopperState

_MOST_STATES = 512
"""Enough for the shoppers of some batches: a row is projected some milliseconds after its shopper was read."""


class RecentStates:
    """Remembers folded states, all as of one position of the log.

    A store at a position contains the fold of the log up to this position, whoever wrote the states. So a state as of
    this position need not be read again while the store is there. The store itself proves that it is there: it takes an
    update only at the position before the update.
    """

    def __init__(self) -> None:
        self._position: int | None = None
        self._states: dict[ShopperKey, ShopperState] = {}

    def find(self, position: int, shoppers: Collection[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        """Return the states that are known as of a position. From now on, states as of this position are remembered."""
        if position != self._position:
            self._position, self._states = position, {}
        return {shopper: self._states[shopper] for shopper in shoppers if shopper in self._states}

    def remember(self, position: int, states: Mapping[ShopperKey, ShopperState]) -> None:
        """Remember states if they are as of the position of the others."""
        if position != self._position:
            return
        if len(self._states) + len(states) > _MOST_STATES:
            self._states = {}
        self._states.update(states)

    def advance(self, before: int, after: int, changed: Mapping[ShopperKey, ShopperState]) -> None:
        """Move all states to a later position, at which some have changed."""
        if before != self._position:
            self._states = {}
        self._position = after
        self.remember(after, changed)

    def forget(self) -> None:
        """Forget all states: the store may have lost them, or another process may have changed them."""
        self._position, self._states = None, {}
