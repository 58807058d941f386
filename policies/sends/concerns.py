"""What a row of the log says by itself: which sends it concerns, and whether it withdraws consent or comes late."""

from __future__ import annotations

from policies.records.endings import may_end_triggers
from policies.records.rows import ActivationRow, CancellationRow, ErasureRow, OutcomeRow, Row
from policies.records.withholding import EVERY_CHANNEL, SUBSCRIBED, withheld_paths


def is_late(window_ends_at: float, occurred_at: float, watermark: float) -> bool:
    """Return whether an outcome that is logged at this watermark misses the attribution window."""
    return occurred_at >= window_ends_at or watermark >= window_ends_at


def withdraws(row: Row, channel: str | None) -> bool:
    """Return whether the shopper withdraws consent for a channel by a row.

    An erasure, and the end of the subscription, withdraw consent for all channels.

    >>> from policies.records.rows import PreferencesRow
    >>> withdraws(PreferencesRow(at=0.0, shopper_id="s", consent={"push": False}), "push")
    True
    """
    if isinstance(row, ErasureRow):
        return True
    return channel is not None and any(path in (f"consent.{channel}", SUBSCRIBED) for path in withheld_paths(row))


def is_withdrawal(row: Row) -> bool:
    """Return whether a row withdraws consent."""
    paths = withheld_paths(row)
    return bool(paths) and any(path == SUBSCRIBED or path.startswith(EVERY_CHANNEL) for path in paths)


def concerns_all_sends(row: Row) -> bool:
    """Return whether a row may take back every send of its shopper, and not only the one it names."""
    return may_end_triggers(row) or is_withdrawal(row)


def named_sends(row: Row) -> tuple[str, ...]:
    """Return the event ids of the sends that a row names."""
    match row:
        case ActivationRow() | CancellationRow() | OutcomeRow():
            return (row.event_id,)
        case ErasureRow():
            return row.open_event_ids
    return ()
