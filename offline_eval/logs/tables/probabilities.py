"""Tables of a target's probabilities: columns event_id, action, probability.

``action`` names a joint action as ``message/channel/delay_s``, or ``HOLD``; joint actions left out have 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from offline_eval.errors import BadData
from offline_eval.logs.tables.plain import check_columns, csv_batches, csv_names, is_parquet, translate_errors

_COLUMNS = ("event_id", "action", "probability")


def read_probabilities(path: Path) -> dict[str, dict[str, float]]:
    """Return event id → joint action → probability; the whole table is held in memory.

    Raises
    ------
    Unreadable, BadData
        When the file is not such a table.
    """
    table = _read(path)
    by_event: dict[str, dict[str, float]] = {}
    columns = (table.column(name).to_pylist() for name in _COLUMNS)
    for row, (event_id, action, probability) in enumerate(zip(*columns, strict=True), start=1):
        for name, cell in (("event_id", event_id), ("action", action)):
            if cell in (None, ""):
                raise BadData(name, "is empty", row)
        try:
            number = float(probability)
        except (TypeError, ValueError):
            raise BadData("probability", f"is {probability!r}, not a number", row) from None
        if not 0 <= number <= 1:
            raise BadData("probability", f"is {number:g}, must be at least 0 and at most 1", row)
        by_action = by_event.setdefault(str(event_id), {})
        if str(action) in by_action:
            raise BadData("action", f"{action!r} stands twice for event {event_id!r}", row)
        by_action[str(action)] = number
    return by_event


def _read(path: Path) -> Any:
    with translate_errors(path):
        if is_parquet(path):
            file = pyarrow.parquet.ParquetFile(path)
            check_columns(file.schema_arrow.names, _COLUMNS)
            return file.read(columns=list(_COLUMNS))
        names = csv_names(path)
        check_columns(names, _COLUMNS)
        schema = pyarrow.schema([(name, pyarrow.string()) for name in _COLUMNS])
        return pyarrow.Table.from_batches(csv_batches(path, names, _COLUMNS), schema)
