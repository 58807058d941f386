"""The fold of rows into contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import Case, decide_many
from policies.decision_row import decision_row
from policies.learning.incrementality.exposures import exposure_of
from policies.learning.incrementality.fold import Contrasts, IncrementalityFold
from policies.models.uniform import uniform_policy
from policies.records.erasure import anonymous
from policies.records.rows import CatalogueRow, DecisionRow, EventRow, OutcomeRow, Row, ShopperRow
from policies.shopper.state import NEW_SHOPPER
from tests.factories import NOW, WINDOW_S, outcome_row, request, small_document

CATALOGUE = Catalogue.from_document(small_document())
BOOK = Rulebook.of(CATALOGUE, 1)
LATE = NOW + 1e7


def decisions(count: int = 60) -> list[DecisionRow]:
    """The decisions of as many shoppers."""
    policy = replace(uniform_policy(), hold_share=0.1)
    cases = [Case(request(event_id=f"e-{number}"), NEW_SHOPPER) for number in range(count)]
    rows = map(decision_row, decide_many(cases, BOOK, policy, b"seed"))
    return [msgspec.structs.replace(row, shopper_id=f"s-{number}") for number, row in enumerate(rows)]


def conversion(row: DecisionRow, at: float, value: float = 5.0, **changes: object) -> OutcomeRow:
    return outcome_row("conversion", row.event_id, at=at, value=value, **{"shopper_id": row.shopper_id} | changes)


def purchase(row: DecisionRow, at: float, value: float = 5.0) -> EventRow:
    return EventRow(at, row.shopper_id, "purchase", at, {"value": value})


def fold(rows: Sequence[Row], now: float = LATE) -> Contrasts:
    folded = IncrementalityFold()
    folded.add(1, CatalogueRow(0.0, 1, CATALOGUE.to_document()))
    for position, row in enumerate(rows, start=2):
        folded.add(position, row)
    return folded.contrasts(now)


def sends(rows: Sequence[DecisionRow]) -> list[DecisionRow]:
    return [row for row in rows if row.send_at is not None]


def test_orders_and_credits_in_the_windows_are_counted() -> None:
    rows = decisions()
    (first, second, third, *_), holds = sends(rows), [row for row in rows if row.send_at is None]
    happened: list[Row] = [
        conversion(first, first.send_at or 0.0),
        purchase(first, first.send_at or 0.0),  # the same order
        purchase(second, (second.window_ends_at or 0.0) - 1.0),
        purchase(third, third.window_ends_at or 0.0),  # too late
        purchase(holds[0], NOW),
    ]
    contrasts = fold([*rows, *happened])
    pooled = contrasts.pooled
    assert (pooled.shoppers, pooled.sends, pooled.credited_orders, pooled.credited_revenue) == (
        len(rows),
        len(sends(rows)),
        1,
        5.0,
    )
    windows = [window for row in holds for window in exposure_of(row, BOOK).windows()]  # type: ignore[union-attr]
    total = sum(window.weight for window in windows)
    exposure = exposure_of(holds[0], BOOK)
    assert exposure is not None
    ordered = sum(window.weight for window in exposure.windows() if window.begins_at == NOW)
    assert pooled.incremental_orders().value == pytest.approx(2 - pooled.sends * ordered / total)
    assert sum(contrast.sends for contrast in contrasts.by_cell.values()) == pooled.sends
    assert {cell.channel for cell in contrasts.by_cell} == {"push", "email"}


def test_only_windows_that_have_ended_count_of_sends_and_of_holds() -> None:
    rows = decisions()
    pooled = fold(rows, now=NOW + WINDOW_S).pooled
    assert pooled.sends == len([row for row in sends(rows) if (row.window_ends_at or 0.0) <= NOW + WINDOW_S])
    assert 0 < pooled.holds <= len(rows) - len(sends(rows))
    assert fold(rows, now=NOW).pooled.sends == 0


def test_a_repeat_and_a_copy_count_once_and_an_early_conversion_counts() -> None:
    rows = decisions()
    first, second, *_ = sends(rows)
    at = first.send_at or 0.0
    early = conversion(second, second.send_at or 0.0, shopper_id=None)
    copy = conversion(second, second.send_at or 0.0, is_copy=True)
    pooled = fold([early, *rows, copy, conversion(first, at), conversion(first, at)]).pooled
    assert pooled.credited_orders == 2


def test_a_fold_may_be_asked_again_after_more_rows() -> None:
    folded = IncrementalityFold()
    rows: list[Row] = [CatalogueRow(0.0, 1, CATALOGUE.to_document())]
    rows += decisions()
    for position, row in enumerate(rows, start=1):
        folded.add(position, row)
        folded.contrasts(LATE)
    assert folded.contrasts(LATE).pooled.sends == fold(rows[1:]).pooled.sends


def test_an_erasure_changes_no_count() -> None:
    """The purchases of erased shoppers have no value, and are the same orders as their conversions all the same."""
    rows = decisions()
    bought = [purchase(row, row.send_at or NOW) for row in rows[:30]]
    credited = [conversion(row, row.send_at or NOW) for row in sends(rows[:20])]
    log: list[ShopperRow] = [*rows, *bought, *credited]
    erased = fold([anonymous(row, f"erased:{row.shopper_id}") for row in log]).pooled
    pooled = fold(log).pooled
    assert pooled.credited_orders == erased.credited_orders == len(credited) > 0
    assert pooled.incremental_orders() == erased.incremental_orders()


def test_the_holdout_arm_counts_by_shopper() -> None:
    """One shopper in three is held out; each counts once, with all orders since the first decision."""
    rows = [
        msgspec.structs.replace(row, arm="holdout" if number % 3 == 0 else "treatment")
        for number, row in enumerate(decisions(30))
    ]
    again = [msgspec.structs.replace(row, event_id=f"again-{number}") for number, row in enumerate(rows)]
    before = [purchase(row, NOW - 1.0) for row in rows]
    bought = [purchase(row, LATE - 1.0, value=10.0) for row in rows[:12]]
    treated = [row for row in rows if row.arm == "treatment"]
    credited = [conversion(row, LATE - 2.0, value=7.0) for row in treated[:6]]
    contrast = fold([*before, *rows, *again, *bought, *credited]).holdout
    assert (contrast.shoppers, contrast.sends) == (30, 20)
    assert contrast.holds == pytest.approx(10.0)
    assert contrast.credited_orders == 6
    assert contrast.incremental_orders().value == pytest.approx((8 + 6) - 20 * 4 / 10)
