"""Which rows settle what was pending."""

from __future__ import annotations

import pytest

from decision_service.projection.projector import settles
from decision_service.state.base import Pending, PendingReservation, Withdrawal
from decision_service.state.shopper_keys import ShopperKey
from policies.records.rows import ErasureRow, EventRow, OutcomeRow, PreferencesRow, ShopperRow
from tests.decision_service.log.rows import decision

RESERVATION = PendingReservation("e-1/1", "e-1")
WITHDRAWAL = Withdrawal(ShopperKey("s"), "push", "1")


@pytest.mark.parametrize(
    ("row", "settled"),
    [
        (decision(1.0, "e-1"), [RESERVATION]),
        (decision(1.0, "e-1/1"), []),
        (OutcomeRow(1.0, "e-1", "opt_out", 1.0, shopper_id="s", channel="push"), [WITHDRAWAL]),
        (OutcomeRow(1.0, "e-1", "complaint", 1.0, shopper_id="s", channel="push"), [WITHDRAWAL]),
        (OutcomeRow(1.0, "e-1", "opt_out", 1.0, shopper_id="s", channel="sms"), []),
        (OutcomeRow(1.0, "e-1", "click", 1.0, shopper_id="s", channel="push"), []),
        (PreferencesRow(1.0, "s", {"push": False}), [WITHDRAWAL]),
        (PreferencesRow(1.0, "s", {"push": True, "sms": False}), []),
        (ErasureRow(1.0, "erased:1", "s"), [WITHDRAWAL]),
        (EventRow(1.0, "s", "product_view", 1.0), []),
    ],
)
def test_a_row_settles_what_it_says(row: ShopperRow, settled: list[Pending]) -> None:
    assert [pending for pending in (RESERVATION, WITHDRAWAL) if settles(row, pending)] == settled
