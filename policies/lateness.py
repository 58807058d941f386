"""Lateness: what comes once a send's attribution window is over. The send counts as sent then and was learned from.

Told by the row and the window alone, so that every fold of the log agrees: shopper state, learning, report. The log
sees to it that a row bears the time it needs for this (`decision_service.log.row_times`).
"""

from __future__ import annotations

from typing import Protocol

from policies.records.rows import ActivationRow, OutcomeRow


class Windowed(Protocol):
    """What is needed of a send to tell what comes too late for it."""

    @property
    def window_ends_at(self) -> float | None:
        """When its attribution window ends, if it has one."""
        ...

    @property
    def deferred(self) -> bool:
        """Whether it counts as sent only once it was activated."""
        ...


def is_late(window_ends_at: float, occurred_at: float, watermark: float) -> bool:
    """Tell whether an outcome logged at this watermark misses the window."""
    return occurred_at >= window_ends_at or watermark >= window_ends_at


def bounces(send: Windowed, row: OutcomeRow) -> bool:
    """Tell whether an outcome says that a send reached nobody; a late bounce is reported only."""
    ends_at = send.window_ends_at
    return row.type == "bounce" and (ends_at is None or not is_late(ends_at, row.occurred_at, row.at))


def refuses(send: Windowed, row: ActivationRow) -> bool:
    """Tell whether the gate keeps a send back: one that did not wait for it counts as sent once its window is over."""
    is_over = send.window_ends_at is not None and row.at >= send.window_ends_at
    return not row.deliver and (send.deferred or not is_over)
