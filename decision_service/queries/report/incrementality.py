"""What sends have brought, as a report shows it: attributed and incremental orders, by trigger and channel."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from decision_service.queries.report.figures import DECIMALS, Count
from policies.learning.incrementality.contrast import Contrast, Estimate
from policies.learning.incrementality.fold import Contrasts

NOT_ENOUGH = "not enough data yet"
ENOUGH = "enough data"


class EstimateAnswer(msgspec.Struct, frozen=True):
    """An estimate with its 95 % interval; shoppers are the units."""

    value: float
    low: float
    high: float


class ContrastAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Attributed and incremental orders."""

    verdict: Annotated[
        str,
        Meta(
            description=f"`{ENOUGH}`, or `{NOT_ENOUGH}`: the estimates are null until the comparison is worth 30 "
            "credited orders."
        ),
    ]
    orders_of_evidence: Annotated[float, Meta(description="How many credited orders the comparison is worth.")]
    attributed_orders: Annotated[Count, Meta(description="Conversions of the sends.")]
    incremental_orders: Annotated[
        EstimateAnswer | None, Meta(description="The orders that would not have come anyway.")
    ]
    attributed_revenue: Annotated[float, Meta(description="The value of the attributed orders; refunds stay in.")]
    incremental_revenue: Annotated[EstimateAnswer | None, Meta(description="The value of the incremental orders.")]
    incremental_share: Annotated[
        EstimateAnswer | None, Meta(description="incremental_orders ÷ attributed_orders; may lie outside 0 to 1.")
    ]


class SendContrastAnswer(ContrastAnswer, frozen=True, kw_only=True):
    """What sends have brought in their attribution windows, in comparison with decisions that held at random."""

    drawn_sends: Annotated[
        Count, Meta(description="Drawn sends whose windows have ended, and that could have been held; not critical.")
    ]
    effective_holds: Annotated[float, Meta(description="How many holds of equal weight the comparison rests on.")]
    factor: Annotated[
        float,
        Meta(
            description="The share clipped to 0 to 1, and shrunk to the catalogue's `reward.view_through` with the "
            "weight of 30 orders."
        ),
    ]


class HoldoutAnswer(ContrastAnswer, frozen=True, kw_only=True):
    """What all sends have brought since the first decision of each shopper in the span of the report.

    The shoppers of the holdout arm are the comparison.
    """

    treated_shoppers: Annotated[Count, Meta(description="Shoppers who are not in the holdout arm.")]
    held_out_shoppers: Annotated[Count, Meta(description="Shoppers of the holdout arm.")]


class CellContrastAnswer(SendContrastAnswer, frozen=True, kw_only=True):
    """What the sends about one trigger on one channel have brought."""

    trigger: str
    channel: str


class IncrementalityAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What sends have brought: all of them, and by trigger and channel; and beside it, what the holdout arm says."""

    total: SendContrastAnswer
    holdout: HoldoutAnswer
    rows: Annotated[list[CellContrastAnswer], Meta(description="One per trigger and channel, in order.")]


def answer_incrementality(contrasts: Contrasts, view_through: float) -> IncrementalityAnswer:
    """Return the contrasts of a log as a report shows them."""
    return IncrementalityAnswer(
        total=SendContrastAnswer(**_figures_of_sends(contrasts.pooled, view_through)),
        holdout=HoldoutAnswer(
            treated_shoppers=contrasts.holdout.sends,
            held_out_shoppers=contrasts.holdout.shoppers - contrasts.holdout.sends,
            **_figures(contrasts.holdout),
        ),
        rows=[
            CellContrastAnswer(trigger=cell.trigger, channel=cell.channel, **_figures_of_sends(contrast, view_through))
            for cell, contrast in contrasts.by_cell.items()
        ],
    )


def _figures_of_sends(contrast: Contrast, view_through: float) -> dict[str, Any]:
    return {
        "drawn_sends": contrast.sends,
        "effective_holds": round(contrast.holds, DECIMALS),
        "factor": round(contrast.factor(view_through), DECIMALS),
        **_figures(contrast),
    }


def _figures(contrast: Contrast) -> dict[str, Any]:
    is_enough = contrast.is_enough
    return {
        "verdict": ENOUGH if is_enough else NOT_ENOUGH,
        "orders_of_evidence": round(contrast.evidence, DECIMALS),
        "attributed_orders": contrast.credited_orders,
        "incremental_orders": _round(contrast.incremental_orders()) if is_enough else None,
        "attributed_revenue": round(contrast.credited_revenue, DECIMALS),
        "incremental_revenue": _round(contrast.incremental_revenue()) if is_enough else None,
        "incremental_share": _round(contrast.share()) if is_enough else None,
    }


def _round(estimate: Estimate) -> EstimateAnswer:
    return EstimateAnswer(
        round(estimate.value, DECIMALS), round(estimate.low, DECIMALS), round(estimate.high, DECIMALS)
    )
