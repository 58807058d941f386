"""The rows of the events that a fold looks up, read ahead: one query for many windows that close."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from decision_service.log.base import EventLog
from decision_service.log.reading import find_events
from policies.learning.interactions import Positioned


class RelatedRows:
    """Looks up the rows of events in a log, and remembers those that were read ahead.

    Parameters
    ----------
    log
        The log that is folded.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._known: dict[str, list[Positioned]] = {}

    def read_ahead(self, event_ids: Collection[str]) -> None:
        """Read the rows of these events, and forget the rows of others.

        The log must contain the rows to be folded next: what is appended later is not seen.

        Raises
        ------
        LogUnavailable
            When the log cannot be read.
        """
        rows_by_event = self._find(sorted(event_ids))
        self._known = {event_id: rows_by_event.get(event_id, []) for event_id in event_ids}

    def find(self, event_ids: Sequence[str]) -> dict[str, list[Positioned]]:
        """Return the rows of events with their positions, by event id, in position order; no event without rows.

        Raises
        ------
        LogUnavailable
            When the log must be read and cannot be.
        """
        unknown = [event_id for event_id in event_ids if event_id not in self._known]
        known = {event_id: rows for event_id in event_ids if (rows := self._known.get(event_id))}
        return known | self._find(unknown)

    def _find(self, event_ids: Sequence[str]) -> dict[str, list[Positioned]]:
        return find_events(self._log, event_ids) if event_ids else {}
