"""What a store contains: of a shopper the state, and of the log how much."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from policies.rules.budget import Spent
from policies.shopper.state import NEW_SHOPPER, ShopperState


class StoredState(msgspec.Struct, frozen=True):
    """A shopper's state, and the version that a reservation must name.

    Parameters
    ----------
    state
        The state with all pending facts: reservations are among its sends, and what is withdrawn is withheld.
    version
        Changes with every change of the shopper's state.
    position
        The state contains the log at least up to this position.
    spent
        What was spent on the budget days that were asked for.
    folded
        The state without pending facts: their rows may never be written.
    """

    state: ShopperState
    version: int
    position: int = 0
    spent: Spent = {}
    folded: ShopperState = NEW_SHOPPER


@dataclass(frozen=True)
class ContainedLog:
    """Which log a store says that it contains, and how much of it.

    Parameters
    ----------
    position
        The store contains every row up to this position.
    mark
        The mark of the row at this position; None where an earlier version wrote the position.
    beginning
        The name of the beginning of the last complete incarnation; None where there was none yet.
    """

    position: int = 0
    mark: str | None = None
    beginning: str | None = None
