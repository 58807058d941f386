"""The ledger: every shopper's state folded from the log in memory, to hold a state store against.

It shares the fold with the service and nothing else: neither the projector's batches nor its store.
"""

from __future__ import annotations

from collections import Counter

from decision_service.log.base import EventLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys, is_pseudonym
from policies.records.rows import SHOPPER_ROWS, ErasureRow, ShopperRow, decode
from policies.rules.budget import BudgetDay, spending_of
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState

_BATCH = 1_000

Spending = dict[BudgetDay, int]


class ExpectedStates:
    """The states that the log comes to, as far as it was folded; grows with the number of shoppers.

    Parameters
    ----------
    log
        What is folded.
    names
        Gives the keys of shoppers.
    """

    def __init__(self, log: EventLog, names: ShopperKeys) -> None:
        self._log = log
        self._owners = ErasedShoppers(log, names)
        self._called: dict[ShopperKey, str] = {}
        self._versions: dict[ShopperKey, list[ShopperState]] = {}
        self._spent: Counter[BudgetDay] = Counter()
        self.states: dict[ShopperKey, ShopperState] = {}
        self.spendings: list[Spending] = []
        """What was spent after each change since the last `forget`."""
        self.position = 0

    def name(self, key: ShopperKey) -> str:
        """Name a shopper; by the key alone where the log knows no name (any more)."""
        return self._called.get(key, f"key {key}")

    def versions(self, key: ShopperKey) -> list[ShopperState]:
        """Give the states that a shopper has had since the last `forget`, this one first."""
        return [self.states.get(key, NEW_SHOPPER), *self._versions.get(key, ())]

    def forget(self) -> None:
        """Remember from now on what states were before they changed."""
        self._versions = {}
        self.spendings = [self._known_spending()]

    def fold_up_to(self, position: int) -> None:
        """Fold the rows of the log up to a position."""
        while self.position < position:
            rows = self._log.read(self.position, min(_BATCH, position - self.position))
            for row in rows:
                known = decode(row.body)
                if isinstance(known, SHOPPER_ROWS) and known.shopper_id:
                    self._fold(row.position, known, known.shopper_id)
            self.position = rows[-1].position if rows else position

    def _fold(self, position: int, row: ShopperRow, shopper_id: str) -> None:
        key = self._owners.of(position, shopper_id)
        if isinstance(row, ErasureRow):
            self._called.pop(key, None)
        elif not is_pseudonym(shopper_id):
            self._called[key] = shopper_id
        before = self.states.get(key, NEW_SHOPPER)
        self.states[key] = fold(before, row)
        self._versions.setdefault(key, []).append(before)
        cost = spending_of(row, before)
        if any(cost.values()):
            self._spent.update(cost)
            self.spendings.append(self._known_spending())

    def _known_spending(self) -> Spending:
        return {day: cost for day, cost in self._spent.items() if cost}


def differing(state: ShopperState, other: ShopperState) -> list[str]:
    """Name the fields in which two states differ.

    >>> differing(ShopperState(locale="es"), ShopperState(locale="en", max_per_week=1))
    ['max_per_week', 'locale']
    """
    return [name for name in state.__struct_fields__ if getattr(state, name) != getattr(other, name)]
