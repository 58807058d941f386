"""Updates: what a batch of rows changes in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from decision_service.state.shopper_keys import ShopperKey
from policies.rules.budget import BudgetDay
from policies.rules.uses import Uses
from policies.shopper.state import ShopperState


@dataclass(frozen=True)
class ShopperUpdate:
    """What a batch of rows says of a shopper: the new state, and which pending facts are in the log now.

    Parameters
    ----------
    state
        The state after the rows, None where they do not change the state. Nothing is kept of `NEW_SHOPPER`.
    decided
        The event ids of the decisions among the rows: they settle all reservations of these event ids.
    withheld
        The paths that the rows withhold, each with the position of the last row that does so. Such a row settles the
        withdrawals of this path that were made while the log ended before the row. The path ``consent`` settles the
        withdrawals of consent on every channel.
    """

    state: ShopperState | None = None
    decided: Sequence[str] = ()
    withheld: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StateUpdate:
    """What a batch of rows changes in the store.

    Parameters
    ----------
    before, after
        The rows follow the one at position ``before``, and the last one is at position ``after``.
    shoppers
        The shoppers whom the rows are about.
    spent
        What is added to the budget days in millionths, negative for what was given back.
    catalogue
        The version of the catalogue that came into force, if one did.
    uses
        What is added to the uses of names, negative for uses that ended.
    mark
        The mark of the row at position ``after``: see `projection.same_log`.
    """

    before: int
    after: int
    shoppers: Mapping[ShopperKey, ShopperUpdate]
    spent: Mapping[BudgetDay, int] = field(default_factory=dict)
    catalogue: int | None = None
    uses: Uses = field(default_factory=dict)
    mark: str = ""
