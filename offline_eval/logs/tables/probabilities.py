"""Tables of a target's probabilities: columns event_id, action, probability.

``action`` names a joint action as ``message/channel/delay_s``, or ``HOLD``; joint actions left out have 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow

from offline_eval.errors import BadData
from offline_eval.logs.files import LogFile
from offline_eval.logs.tables.delimited import read_header, read_text
from offline_eval.logs.tables.opening import is_parquet, open_parquet, translate_errors
from offline_eval.logs.tables.plain import check_columns

_COLUMNS = ("event_id", "action", "probability")


def read_probabilities(path: Path) -> dict[str, dict[str, float]]:
    """Return event id → joint action → probability; the whole table is held in memory.

    Raises
    ------
    Unreadable, BadData
        When the file is not such a table.
    """
    file = LogFile.of(path)
    with translate_errors(file):
        return _group_by_event(*_read(file))


def _group_by_event(table: Any, decimal_commas: bool) -> dict[str, dict[str, float]]:
    by_event: dict[str, dict[str, float]] = {}
    columns = (table.column(name).to_pylist() for name in _COLUMNS)
    for row, (event_id, action, probability) in enumerate(zip(*columns, strict=True), start=1):
        for name, cell in (("event_id", event_id), ("action", action)):
            if cell in (None, ""):
                raise BadData(name, "is empty", row)
        try:
            number = float(probability.replace(",", ".") if decimal_commas else probability)
        except (TypeError, ValueError):
            raise BadData("probability", f"is {probability!r}, not a number", row) from None
        if not 0 <= number <= 1:
            raise BadData("probability", f"is {number:g}, must be at least 0 and at most 1", row)
        by_action = by_event.setdefault(str(event_id), {})
        if str(action) in by_action:
            raise BadData("action", f"{action!r} stands twice for event {event_id!r}", row)
        by_action[str(action)] = number
    return by_event


def _read(file: LogFile) -> tuple[Any, bool]:
    """Return the table, and whether its numbers may have decimal commas."""
    if is_parquet(file):
        parquet = open_parquet(file)
        check_columns(parquet.schema_arrow.names, _COLUMNS)
        return parquet.read(columns=list(_COLUMNS)), False
    header = read_header(file)
    check_columns(header.names, _COLUMNS)
    schema = pyarrow.schema([(name, pyarrow.string()) for name in _COLUMNS])
    return pyarrow.Table.from_batches(read_text(file, header, _COLUMNS), schema), header.may_have_decimal_commas
