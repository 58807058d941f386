"""Tables of a target's probabilities: columns event_id, action, probability.

``action`` names a joint action as ``message/channel/delay_s``, or ``HOLD``; joint actions left out have 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from offline_eval.errors import BadData
from offline_eval.tables.plain import csv_batches, csv_names, is_parquet, translated

_COLUMNS = ("event_id", "action", "probability")


def read_probabilities(path: Path) -> dict[str, dict[str, float]]:
    """Read event id → joint action → probability; the whole table is held in memory.

    Raises
    ------
    Unreadable, BadData
        When it is no such table.
    """
    with translated(path):
        table = pyarrow.parquet.read_table(path) if is_parquet(path) else _read_csv(path)
    for name in _COLUMNS:
        if name not in table.column_names:
            raise BadData(name, f"is missing; the table has {', '.join(table.column_names)}")
    found: dict[str, dict[str, float]] = {}
    columns = (table.column(name).to_pylist() for name in _COLUMNS)
    for row, (event_id, action, probability) in enumerate(zip(*columns, strict=True), start=1):
        try:
            number = float(probability)
        except (TypeError, ValueError):
            raise BadData("probability", f"is {probability!r}, no number", row) from None
        if not 0 <= number <= 1:
            raise BadData("probability", f"is {number:g}, must be at least 0 and at most 1", row)
        own = found.setdefault(str(event_id), {})
        if str(action) in own:
            raise BadData("action", f"{action!r} stands twice for event {event_id!r}", row)
        own[str(action)] = number
    return found


def _read_csv(path: Path) -> Any:
    names = csv_names(path)
    wanted = [name for name in _COLUMNS if name in names]
    schema = pyarrow.schema([(name, pyarrow.string()) for name in wanted])
    return pyarrow.Table.from_batches(csv_batches(path, names, wanted), schema)
