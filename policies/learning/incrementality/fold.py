"""The fold of the log's rows into contrasts, by trigger and channel and pooled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.learning.incrementality.contrast import Contrast, ShopperSums
from policies.learning.incrementality.exposures import Cell, Exposure, SendKind, Window, exposure_of
from policies.learning.incrementality.orders import KnownOrders, Order
from policies.learning.windows import Owner, shopper_of_row
from policies.records.arms import HOLDOUT
from policies.records.outcomes import REFUNDS, VALUED
from policies.records.rows import CatalogueRow, DecisionRow, EventRow, OutcomeRow, Row

_ORDERS = VALUED - REFUNDS


@dataclass(frozen=True)
class Contrasts:
    """The contrast of all sends, and that of each trigger and channel.

    ``holdout`` is another contrast: the shoppers of the holdout arm in place of HOLDs, all others in place of sends.
    Each counts once, with all orders since the first decision, also those that come long after a send.
    """

    pooled: Contrast
    by_cell: Mapping[Cell, Contrast]
    holdout: Contrast


class _Shopper(NamedTuple):
    """The time of a shopper's first decision, and whether she belonged to the holdout arm then."""

    since: float
    is_held_out: bool


class IncrementalityFold:
    """Folds rows: decisions with their chances, conversions, and purchases.

    Memory grows with the decisions and the orders, some hundred bytes each.

    Parameters
    ----------
    owner
        Brings the rows of one shopper together where shoppers may be erased while the log is read.
    """

    def __init__(self, owner: Owner = shopper_of_row) -> None:
        self._owner = owner
        self._rulebooks: dict[int, Rulebook] = {}
        self._exposures: dict[str, list[Exposure]] = defaultdict(list)
        self._shoppers: dict[str, _Shopper] = {}
        self._kinds: dict[tuple[SendKind, ...], tuple[SendKind, ...]] = {}
        self._orders: dict[str, list[Order]] = defaultdict(list)
        self._owners: dict[str, str] = {}
        self._early: dict[str, list[Order]] = defaultdict(list)

    @property
    def view_through(self) -> float:
        """The ``view_through`` of the latest catalogue; 1 before the first one."""
        latest = next(reversed(self._rulebooks.values()), None)
        return 1.0 if latest is None else latest.catalogue.reward.view_through

    def add_catalogue(self, row: CatalogueRow) -> None:
        """Take a catalogue in, before the decisions that name its version."""
        self._rulebooks[row.version] = Rulebook.of(Catalogue.from_stored(row.document), row.version)

    def add_decision(self, position: int, row: DecisionRow) -> None:
        """Take in a decision that is to be measured."""
        owner = self._owners[row.event_id] = self._owner(position, row.shopper_id)
        self._shoppers.setdefault(owner, _Shopper(row.at, row.arm == HOLDOUT))
        exposure = exposure_of(row, self._rulebooks[row.catalogue_version])
        if exposure is not None:
            kinds = self._kinds.setdefault(exposure.kinds, exposure.kinds)
            self._exposures[owner].append(msgspec.structs.replace(exposure, kinds=kinds))
        self._orders[owner] += self._early.pop(row.event_id, [])

    def add(self, position: int, row: Row) -> None:
        """Take in a row of another kind, or a decision."""
        if isinstance(row, CatalogueRow):
            self.add_catalogue(row)
        elif isinstance(row, DecisionRow):
            self.add_decision(position, row)
        elif isinstance(row, EventRow):
            self._add_event(position, row)
        elif isinstance(row, OutcomeRow) and row.type in _ORDERS and not row.is_copy:
            self._add_conversion(position, row)

    def _add_event(self, position: int, row: EventRow) -> None:
        if row.type == "purchase":
            value = row.attributes.get("value")
            order = Order(row.occurred_at, float(value) if isinstance(value, int | float) else 0.0)
            self._orders[self._owner(position, row.shopper_id)].append(order)

    def _add_conversion(self, position: int, row: OutcomeRow) -> None:
        order = Order(row.occurred_at, row.value, row.event_id)
        if row.shopper_id is not None:
            self._orders[self._owner(position, row.shopper_id)].append(order)
        elif row.event_id in self._owners:
            self._orders[self._owners[row.event_id]].append(order)
        else:
            self._early[row.event_id].append(order)

    def contrasts(self, now: float) -> Contrasts:
        """Return the contrasts of the windows that have ended by a time; may be asked again after more rows."""
        pooled, by_cell = Contrast(), defaultdict[Cell, Contrast](Contrast)
        for owner, exposures in self._exposures.items():
            total, of_cells = _sum_up(exposures, self._orders.get(owner, []), now)
            pooled.add(total)
            for cell, sums in of_cells.items():
                by_cell[cell].add(sums)
        return Contrasts(pooled, dict(sorted(by_cell.items())), self._contrast_holdout(now))

    def _contrast_holdout(self, now: float) -> Contrast:
        contrast = Contrast()
        for owner, shopper in self._shoppers.items():
            reports, sums = self._orders.get(owner, []), ShopperSums()
            orders = KnownOrders(reports).within(shopper.since, now)
            if shopper.is_held_out:
                sums.add_hold(1.0, orders)
            else:
                sums.add_send(orders, _add_up(order for order in reports if shopper.since <= order.at < now))
            contrast.add(sums)
        return contrast


def _sum_up(
    exposures: Iterable[Exposure], reports: list[Order], now: float
) -> tuple[ShopperSums, dict[Cell, ShopperSums]]:
    """Return the sums of one shopper: over all windows that have ended, and by cell."""
    orders, total, of_cells = KnownOrders(reports), ShopperSums(), defaultdict[Cell, ShopperSums](ShopperSums)
    for exposure in exposures:
        for window in exposure.windows():
            if window.ends_at > now:
                continue
            within = orders.within(window.begins_at, window.ends_at)
            credited = _credits_of(exposure.event_id, window, reports) if exposure.is_send else (0, 0.0)
            for sums in (total, of_cells[window.cell]):
                if exposure.is_send:
                    sums.add_send(within, credited)
                else:
                    sums.add_hold(window.weight, within)
    return total, of_cells


def _credits_of(event_id: str, window: Window, reports: Iterable[Order]) -> tuple[int, float]:
    """Return the number and the value of the orders in a window that are credited to a send."""
    within = window.begins_at, window.ends_at
    return _add_up(order for order in reports if order.event_id == event_id and within[0] <= order.at < within[1])


def _add_up(reports: Iterable[Order]) -> tuple[int, float]:
    """Return the number and the value of the credits among reports; a repeat counts once."""
    credits = {order for order in reports if order.event_id is not None}
    return len(credits), sum(order.value for order in sorted(credits, key=lambda order: (order.at, order.value)))
