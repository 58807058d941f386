"""When a send leaves that the activation gate has let leave."""

from __future__ import annotations

from policies.records.rows import ActivationRow, Row


def departure_time(send_at: float, row: Row) -> float:
    """Return when a send leaves, where a row of the gate lets it leave.

    A row of an earlier version lets the send leave at its send time, or at the row's time if the send time has passed.
    """
    left_at = departure_of(row)
    return max(send_at, row.at) if left_at is None else left_at


def departure_of(row: Row) -> float | None:
    """Return the time that a row of the gate states, None where it states none."""
    return row.left_at if isinstance(row, ActivationRow) else None
