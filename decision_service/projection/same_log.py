"""Whether the log that a state store contains is the log at hand.

A store that comes back from a snapshot may be older than the log: then the later rows are folded. It may also contain
rows that this log never had, where a backup of the log was put in its place; such a store is of no use, even if the
log has grown beyond the position since.
"""

from __future__ import annotations

import hashlib

from decision_service.log.base import EventLog
from decision_service.log.keys import fence_key
from decision_service.state.base import ContainedLog
from policies.records.rows import Row


def mark_of(row: Row) -> str:
    """Return a short text that tells a row from the rows that another log has at its position.

    An erasure does not change the mark.
    """
    event_id = getattr(row, "event_id", None) or ""
    words = f"{row.kind} {row.at!r} {event_id}"
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def find_contradiction(contained: ContainedLog, log: EventLog) -> str | None:
    """Return what a store contains that the log does not, None if the log may have grown from there.

    Each incarnation of a log begins with a fence whose key is random. So a log with the fence of the last incarnation
    that the store completed has the same rows up to there; the mark of the last row tells what came later.

    Raises
    ------
    LogUnavailable
        When the log cannot be read.
    """
    if contained.position == 0:
        return None
    rows = log.read(contained.position - 1, 1)
    if not rows:
        return f"a row at position {contained.position}, beyond the end of the log"
    if contained.mark is not None and mark_of(rows[0].row) != contained.mark:
        return f"another row at position {contained.position}"
    if contained.beginning is not None and not log.find_by_key([fence_key(contained.beginning)]):
        return "an incarnation that the log never had"
    return None
