"""Which rows settle what was pending."""

from __future__ import annotations

import pytest

from decision_service.projection.projector import settles
from decision_service.state.base import Pending, PendingReservation, Withdrawal
from decision_service.state.shopper_keys import ShopperKey
from policies.records.rows import ErasureRow, EventRow, OutcomeRow, PreferencesRow, ShopperRow
from tests.decision_service.log.rows import decision

RESERVATION = PendingReservation("e-1/1", "e-1")
WITHDRAWAL = Withdrawal(ShopperKey("s"), "consent.push", "1")


@pytest.mark.parametrize(
    ("row", "settled"),
    [
        (decision(1.0, "e-1"), [RESERVATION]),
        (decision(1.0, "e-1/1"), []),
        (
            OutcomeRow(at=1.0, event_id="e-1", type="opt_out", occurred_at=1.0, shopper_id="s", channel="push"),
            [WITHDRAWAL],
        ),
        (
            OutcomeRow(at=1.0, event_id="e-1", type="complaint", occurred_at=1.0, shopper_id="s", channel="push"),
            [WITHDRAWAL],
        ),
        (OutcomeRow(at=1.0, event_id="e-1", type="opt_out", occurred_at=1.0, shopper_id="s", channel="sms"), []),
        (OutcomeRow(at=1.0, event_id="e-1", type="click", occurred_at=1.0, shopper_id="s", channel="push"), []),
        (PreferencesRow(1.0, "s", {"push": False}), [WITHDRAWAL]),
        (PreferencesRow(1.0, "s", {"push": True, "sms": False}), []),
        (ErasureRow(1.0, "erased:1", "s"), [WITHDRAWAL]),
        (EventRow(at=1.0, shopper_id="s", type="product_view", occurred_at=1.0), []),
    ],
)
def test_a_row_settles_what_it_says(row: ShopperRow, settled: list[Pending]) -> None:
    assert [pending for pending in (RESERVATION, WITHDRAWAL) if settles(row, pending)] == settled
