"""The timeline of a shopper: every decision with its reason and what became of it, the latest first."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from decision_service.log.base import EventLog, StoredRow
from decision_service.queries.decision_history import NOT_EXCLUDED, DecisionHistory, read_shopper_rows
from decision_service.schemas.body_types import Body
from decision_service.schemas.decision_answer import ActionAnswer, iso, optional_iso
from policies.learning.interactions import action_of
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, unpack


class TimelineQuery(Body):
    """Which part of a timeline to read."""

    limit: Annotated[int, Field(strict=False, ge=1, le=500, description="Decisions at most.")] = 50
    before: Annotated[
        int | None,
        Field(strict=False, ge=1, le=2**63 - 1, description="Only decisions before this log position: `next_before`."),
    ] = None


class Timeline:
    """Reads from the log what was decided about a shopper.

    Parameters
    ----------
    log
        Where the rows are.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def of(self, shopper_id: str, query: TimelineQuery, now: float) -> dict[str, Any]:
        """Return a page of a shopper's decisions as of a time, in the form of `TimelineAnswer`.

        A shopper never seen has none.

        Raises
        ------
        LogUnavailable
            When the log cannot be read.
        """
        return await asyncio.to_thread(self._read_page, shopper_id, query, now)

    def _read_page(self, shopper_id: str, query: TimelineQuery, now: float) -> dict[str, Any]:
        rows = self._log.find_by_shopper(shopper_id, query.limit + 1, query.before, (DecisionRow.kind,))
        page = rows[: query.limit]
        return {
            "shopper_id": shopper_id,
            "decisions": [_entry(history, now) for history in self._read_histories(shopper_id, page)],
            "next_before": page[-1].position if len(rows) > len(page) else None,
        }

    def _read_histories(self, shopper_id: str, page: list[StoredRow]) -> list[DecisionHistory]:
        if not page:
            return []
        rows_of: dict[str, list[StoredRow]] = defaultdict(list)
        for stored in self._log.find_by_event([stored.event_id for stored in page if stored.event_id is not None]):
            rows_of[stored.event_id or ""].append(stored)
        decisions = [stored.row for stored in page if isinstance(stored.row, DecisionRow)]
        shopper_rows = read_shopper_rows(self._log, shopper_id, decisions, page[-1].position)
        return [
            DecisionHistory(logged.position, logged.row, rows, shopper_rows)
            for rows in (rows_of[stored.event_id or ""] for stored in page)
            for logged in rows
            if isinstance(logged.row, DecisionRow)
        ]


def _entry(history: DecisionHistory, now: float) -> dict[str, Any]:
    decision = history.decision
    trigger = None if decision.drawn_trigger is None else decision.triggers[decision.drawn_trigger].type
    excluded, eligible = _count_verdicts(decision)
    return {
        "event_id": decision.event_id,
        "log_position": history.position,
        "at": iso(decision.at),
        "triggers": [trigger.type for trigger in decision.triggers],
        "decision": "send" if decision.is_delivered else "hold",
        "hold_reason": decision.hold_reason,
        "action": ActionAnswer(*action_of(decision)) if decision.is_delivered else None,
        "category": decision.category if decision.is_delivered else None,
        "trigger": trigger if decision.is_delivered else None,
        "send_at": optional_iso(decision.send_at),
        "arm": decision.arm,
        "mode": decision.policy.mode,
        "eligible": eligible,
        "excluded": excluded,
        **history.status_fields(now),
        "outcomes": history.outcome_answers(),
    }


def _count_verdicts(decision: DecisionRow) -> tuple[dict[str, int], int]:
    """Count the excluded joint actions by reason, and the eligible ones, HOLD included."""
    if not decision.verdicts:
        return {}, 0
    counts = Counter(unpack(decision.verdicts, np.uint8).tolist())
    excluded = {Reason(verdict).name: counts[verdict] for verdict in sorted(counts) if verdict not in NOT_EXCLUDED}
    return excluded, counts[Reason.eligible] + decision.hold_eligible
