"""Figures: the sums and rates of a group of decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Ratio = Annotated[float | None, Meta(description="null where there is nothing to divide by")]


class FiguresAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The sums and rates of a group of decisions, as known when the report was made.

    ``decisions`` = ``sends`` + the ``holds``, and ``sends`` = ``delivered`` + the ``undelivered``.
    """

    decisions: Annotated[Count, Meta(description="Requests that were answered.")]
    sends: Annotated[Count, Meta(description="Decisions answered with a send.")]
    holds: Annotated[dict[str, Count], Meta(description="Decisions answered with a hold, by its reason.")]
    delivered: Annotated[
        Count,
        Meta(description="Sends that really left; one whose time is still ahead counts as one that will."),
    ]
    scheduled: Annotated[Count, Meta(description="Of the delivered, those whose send time is still ahead.")]
    undelivered: Annotated[
        dict[str, Count],
        Meta(
            description="Sends that did not leave: `cancelled`, `refused` by the activation gate, deferred and "
            "`waiting`, `expired` without activation or asked about too late, `bounced` in time, `voided` by a "
            "withdrawal of consent, or `superseded` by an event that ended the trigger."
        ),
    ]
    clicks: Annotated[Count, Meta(description="Delivered sends that were clicked.")]
    ctr: Annotated[Ratio, Meta(description="clicks ÷ delivered")]
    conversions: Annotated[Count, Meta(description="Orders that followed delivered sends.")]
    converted: Annotated[Count, Meta(description="Delivered sends that an order followed.")]
    conversion_rate: Annotated[Ratio, Meta(description="converted ÷ delivered")]
    opt_outs: Annotated[Count, Meta(description="Sends answered by an opt-out or a complaint.")]
    opt_outs_per_1000_sends: Annotated[Ratio, Meta(description="1000 · opt_outs ÷ sends")]
    revenue: Annotated[
        float, Meta(description="The value of the conversions, less the refunds of the same send, and not below 0.")
    ]
    revenue_per_notification: Annotated[Ratio, Meta(description="revenue ÷ delivered")]
    unclicked_conversions: Annotated[
        Count,
        Meta(
            description="Of the conversions, those of sends without a click: the reward counts the part "
            "`reward.view_through` of them."
        ),
    ]
    unclicked_revenue: Annotated[float, Meta(description="Of the revenue, that of sends without a click.")]
    refunds: Annotated[Count, Meta(description="Refunds that followed delivered sends.")]
    refunded: Annotated[float, Meta(description="The value of the refunds.")]
    machine_opens: Annotated[Count, Meta(description="Delivered sends that a scanner opened: in no other figure.")]
    machine_clicks: Annotated[Count, Meta(description="Delivered sends that a scanner clicked: in no other figure.")]


@dataclass
class Figures:
    """Sums that decisions are counted into."""

    holds: Counter[str] = field(default_factory=Counter)
    undelivered: Counter[str] = field(default_factory=Counter)
    delivered: int = 0
    scheduled: int = 0
    clicks: int = 0
    conversions: int = 0
    converted: int = 0
    opt_outs: int = 0
    revenue: float = 0.0
    unclicked_conversions: int = 0
    unclicked_revenue: float = 0.0
    refunds: int = 0
    refunded: float = 0.0
    machine_opens: int = 0
    machine_clicks: int = 0

    def __add__(self, other: Figures) -> Figures:
        """Count two groups as one."""
        return Figures(
            self.holds + other.holds,
            self.undelivered + other.undelivered,
            self.delivered + other.delivered,
            self.scheduled + other.scheduled,
            self.clicks + other.clicks,
            self.conversions + other.conversions,
            self.converted + other.converted,
            self.opt_outs + other.opt_outs,
            self.revenue + other.revenue,
            self.unclicked_conversions + other.unclicked_conversions,
            self.unclicked_revenue + other.unclicked_revenue,
            self.refunds + other.refunds,
            self.refunded + other.refunded,
            self.machine_opens + other.machine_opens,
            self.machine_clicks + other.machine_clicks,
        )

    def answer(self) -> FiguresAnswer:
        """Return the sums with their rates.

        >>> Figures(delivered=4, clicks=1).answer().ctr
        0.25
        """
        sends = self.delivered + self.undelivered.total()
        return FiguresAnswer(
            decisions=sends + self.holds.total(),
            sends=sends,
            holds=dict(sorted(self.holds.items())),
            delivered=self.delivered,
            scheduled=self.scheduled,
            undelivered=dict(sorted(self.undelivered.items())),
            clicks=self.clicks,
            ctr=ratio(self.clicks, self.delivered),
            conversions=self.conversions,
            converted=self.converted,
            conversion_rate=ratio(self.converted, self.delivered),
            opt_outs=self.opt_outs,
            opt_outs_per_1000_sends=ratio(1000.0 * self.opt_outs, sends),
            revenue=round(self.revenue, DECIMALS),
            revenue_per_notification=ratio(self.revenue, self.delivered),
            unclicked_conversions=self.unclicked_conversions,
            unclicked_revenue=round(self.unclicked_revenue, DECIMALS),
            refunds=self.refunds,
            refunded=round(self.refunded, DECIMALS),
            machine_opens=self.machine_opens,
            machine_clicks=self.machine_clicks,
        )


DECIMALS = 6
"""Decimals of a figure: behind them a sum of binary fractions shows its rounding errors."""


def ratio(part: float, whole: float) -> float | None:
    """Divide; return None where there is nothing to divide by.

    >>> ratio(1, 4), ratio(1, 0)
    (0.25, None)
    """
    return part / whole if whole else None
