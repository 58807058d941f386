"""The pure fold from the log's rows to the cells of a report.

Decisions dated in [from, to) are counted by the group they belong to, with everything that the log knows of them by
now, however late it came. Purchases are those dated in [from, to). Consent is as it was at ``to``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Annotated

import msgspec
from msgspec import Meta

from decision_service.queries.report.decisions import DecisionFigures
from decision_service.queries.report.figures import Count, Figures, FiguresAnswer, Ratio
from decision_service.queries.report.grouping import Group, in_order
from decision_service.queries.report.incrementality import IncrementalityAnswer, answer_incrementality
from decision_service.queries.report.shoppers import OptIns, Orders
from decision_service.queries.report.span import Span
from decision_service.state.shopper_keys import ShopperKey
from policies.learning.incrementality.fold import IncrementalityFold
from policies.learning.windows import Owner, shopper_of_row
from policies.records.rows import DecisionRow, EventRow, Row

GroupName = Annotated[
    str | int | None,
    Meta(description="The channel, message, …; the hour as a number. null: the decision has no such value."),
]


class GroupAnswer(FiguresAnswer, frozen=True, kw_only=True):
    """The figures of one group of decisions."""

    group: GroupName


class ReportTable(msgspec.Struct, frozen=True, kw_only=True):
    """What the log's rows add up to."""

    total: FiguresAnswer
    shoppers: Annotated[Count, Meta(description="Shoppers whom the log knew before `to`, the erased included.")]
    opt_in_rate: Annotated[
        dict[str, Ratio],
        Meta(
            description="The share of these shoppers who consent at `to`, by channel of the catalogue then in force; "
            "its defaults speak for those who said nothing."
        ),
    ]
    orders: Annotated[Count, Meta(description="Shopper events of type `purchase` dated in the span.")]
    repeat_purchase_rate: Annotated[Ratio, Meta(description="Of the shoppers with an order, who has more than one.")]
    average_order_value: Annotated[Ratio, Meta(description="The mean `value` of the orders that have one.")]
    incrementality: Annotated[
        IncrementalityAnswer,
        Meta(description="What the sends of the span have brought, in comparison with what was held at random."),
    ]
    rows: Annotated[list[GroupAnswer], Meta(description="One per group that occurs, in order; [] without `by`.")]


class ReportCells:
    """Folds rows in position order.

    Parameters
    ----------
    span
        What the report is about.
    group
        Returns the group of a decision; None for a report of the total alone.
    key
        Returns the key of a shopper's id; erased shoppers are known by their keys alone.
    owner
        Brings the rows of one shopper together where shoppers may be erased while the log is read.

    Examples
    --------
    >>> from decision_service.state.shopper_keys import ShopperKeys
    >>> cells = ReportCells(Span(), None, ShopperKeys(b"secret").key)
    >>> cells.add(1, EventRow(at=0.0, shopper_id="s-1", type="purchase", occurred_at=0.0, attributes={"value": 20.0}))
    >>> cells.answer(now=60.0).average_order_value
    20.0
    """

    def __init__(
        self,
        span: Span,
        group: Callable[[DecisionRow], Group] | None,
        key: Callable[[str], ShopperKey],
        owner: Owner = shopper_of_row,
    ) -> None:
        self._span = span
        self._grouped = group is not None
        self._decisions = DecisionFigures(group or (lambda _: None), owner)
        self._opt_ins = OptIns(span, key)
        self._orders = Orders(span)
        self._incrementality = IncrementalityFold(owner)

    def needs(self, kind: str, at: float) -> bool:
        """Return whether the report needs the content of a row of a kind and time, and not only its shopper."""
        return kind != DecisionRow.kind or at in self._span

    def meet(self, shopper_id: str | None, at: float) -> None:
        """Count the shopper whom a row is about."""
        if shopper_id is not None:
            self._opt_ins.meet(shopper_id, at)

    def add(self, position: int, row: Row) -> None:
        """Fold one row."""
        self.meet(getattr(row, "shopper_id", None), row.at)
        if isinstance(row, DecisionRow):
            if row.at in self._span:
                self._decisions.decide(position, row)
                self._incrementality.add(position, row)
            return
        self._decisions.add(position, row)
        self._opt_ins.add(row)
        self._incrementality.add(position, row)
        if isinstance(row, EventRow):
            self._orders.add(row)

    def answer(self, now: float) -> ReportTable:
        """Return the report as known at a time, the log's latest; may be called again after more rows."""
        figures = self._decisions.figures(now)
        return ReportTable(
            total=reduce(add, figures.values(), Figures()).answer(),
            shoppers=self._opt_ins.known,
            opt_in_rate=self._opt_ins.rates(),
            orders=self._orders.count,
            repeat_purchase_rate=self._orders.repeat_rate,
            average_order_value=self._orders.average_value,
            incrementality=answer_incrementality(
                self._incrementality.contrasts(now), self._incrementality.view_through
            ),
            rows=[_row(group, figures[group]) for group in sorted(figures, key=in_order)] if self._grouped else [],
        )


def _row(group: Group, figures: Figures) -> GroupAnswer:
    return GroupAnswer(group=group, **msgspec.structs.asdict(figures.answer()))
