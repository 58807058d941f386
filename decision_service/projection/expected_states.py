"""Every shopper's state folded from the log in memory, to compare a state store with.

It shares the fold with the service and nothing else: neither the projector's batches nor its store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from decision_service.log.base import EventLog
from decision_service.log.reading import read_rows
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys, is_pseudonym
from policies.records.rows import SHOPPER_ROWS, ErasureRow, ShopperRow
from policies.rules.budget import BudgetDay, fold_with_spending
from policies.rules.uses import Use, change_in_uses
from policies.shopper.state import HORIZON_S, NEW_SHOPPER, ShopperState

Spending = dict[BudgetDay, int]


class ExpectedStates:
    """The states that the log folds to, up to a position; memory grows with the number of shoppers.

    Parameters
    ----------
    log
        The log to be folded.
    shopper_keys
        The keys of shoppers.
    horizon_s
        How long the states keep sends.
    """

    def __init__(self, log: EventLog, shopper_keys: ShopperKeys, horizon_s: float = HORIZON_S) -> None:
        self._log = log
        self._horizon_s = horizon_s
        self._erased_shoppers = ErasedShoppers(log, shopper_keys)
        self._names: dict[ShopperKey, str] = {}
        self._versions: dict[ShopperKey, list[ShopperState]] = {}
        self._spent: Counter[BudgetDay] = Counter()
        self._uses: Counter[Use] = Counter()
        self._changes_in_uses: list[dict[Use, int]] = []
        self.states: dict[ShopperKey, ShopperState] = {}
        self.spendings: list[Spending] = []
        """What was spent by then, after each change since the last `forget`."""
        self.position = 0

    def name(self, key: ShopperKey) -> str:
        """Return a shopper's id, or the key where the log has no id, or no longer has one."""
        return self._names.get(key, f"key {key}")

    def versions(self, key: ShopperKey) -> list[ShopperState]:
        """Return the states that a shopper has had since the last `forget`, the current one first."""
        return [self.states.get(key, NEW_SHOPPER), *self._versions.get(key, ())]

    def uses(self) -> Iterator[dict[Use, int]]:
        """Yield the uses of names that there have been since the last `forget`, the current ones first."""
        uses = Counter(self._uses)
        yield {use: count for use, count in uses.items() if count}
        for change in reversed(self._changes_in_uses):
            uses.subtract(change)
            yield {use: count for use, count in uses.items() if count}

    def forget(self) -> None:
        """Forget former states; those that change from now on are remembered."""
        self._versions = {}
        self._changes_in_uses = []
        self.spendings = [self._spending()]

    def fold_up_to(self, position: int) -> None:
        """Fold the rows of the log up to a position."""
        for stored in read_rows(self._log, self.position, position):
            if isinstance(stored.row, SHOPPER_ROWS) and stored.row.shopper_id:
                self._fold(stored.position, stored.row, stored.row.shopper_id)
        self.position = max(self.position, position)

    def _fold(self, position: int, row: ShopperRow, shopper_id: str) -> None:
        key = self._erased_shoppers.key_of(position, shopper_id)
        if isinstance(row, ErasureRow):
            self._names.pop(key, None)
        elif not is_pseudonym(shopper_id):
            self._names[key] = shopper_id
        before = self.states.get(key, NEW_SHOPPER)
        after, cost = fold_with_spending(before, row, self._horizon_s)
        self.states[key] = after
        if change := change_in_uses(before, after):
            self._uses.update(change)
            self._changes_in_uses.append(change)
        self._versions.setdefault(key, []).append(before)
        if any(cost.values()):
            self._spent.update(cost)
            self.spendings.append(self._spending())

    def _spending(self) -> Spending:
        return {day: cost for day, cost in self._spent.items() if cost}


def differing(state: ShopperState, other: ShopperState) -> list[str]:
    """Return the names of the fields in which two states differ.

    >>> differing(ShopperState(locale="es"), ShopperState(locale="en", max_per_week=1))
    ['max_per_week', 'locale']
    """
    return [name for name in state.__struct_fields__ if getattr(state, name) != getattr(other, name)]
