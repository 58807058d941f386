"""The same log: whether the rows that a projection contains are rows of this service's log.

A store that was loaded from a snapshot may be older than the log: then the later rows are folded. If somebody replaced
the log by a backup, the store may also contain rows that this log never had. Such a store is of no use, even if the log
has grown beyond the store's position since.
"""

from __future__ import annotations

from decision_service.log.base import EventLog, LogCorrupt
from decision_service.log.keys import fence_key
from decision_service.state.contents import ContainedLog
from policies.records.row_mark import mark_of


def find_contradiction(contained: ContainedLog, log: EventLog) -> str | None:
    """Return what a store contains and the log does not, None if the log has all rows that the store contains.

    Each incarnation of a log begins with a fence whose key is random. So a log with the fence of the last incarnation
    that the store completed has the same rows up to this fence. The mark of the last row shows whether the later rows
    are the same too.

    Raises
    ------
    LogUnavailable
        When the log cannot be read.
    """
    if contained.position == 0:
        return None
    try:
        if not (rows := log.read(contained.position - 1, 1)):
            return f"a row at position {contained.position}, beyond the end of the log"
        if contained.mark is not None and mark_of(rows[0].row) != contained.mark:
            return f"another row at position {contained.position}"
    except LogCorrupt:
        pass  # a damaged row cannot be compared: who needs the row says so
    if contained.beginning is not None and not log.find_by_key([fence_key(contained.beginning)]):
        return "an incarnation that the log never had"
    return None
