"""Tables of probabilities: what is missing is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offline_eval import BadData
from offline_eval.logs.tables.probabilities import read_probabilities
from tests.offline_eval.logs.tables.writers import Write, every_format, write


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"event_id": ["e", None]}, "row 2, column event_id: is empty"),
        ({"action": [None, "HOLD"]}, "row 1, column action: is empty"),
        ({"probability": [1.0, None]}, "row 2, column probability: is None, not a number"),
    ],
)
def test_a_table_of_probabilities_names_what_it_lacks(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    columns = {"event_id": ["e", "f"], "action": ["HOLD", "HOLD"], "probability": [1.0, 1.0]} | changes
    with pytest.raises(BadData, match=complaint):
        read_probabilities(write(tmp_path / "p", [*columns.items()]))


@every_format
@pytest.mark.parametrize("name", ["event_id", "action", "probability"])
def test_a_column_of_probabilities_that_stands_twice_is_refused(tmp_path: Path, name: str, written: Write) -> None:
    columns = [("event_id", ["e"]), ("action", ["HOLD"]), ("probability", [1.0]), (name, [0.5])]
    with pytest.raises(BadData, match=f"column {name}: stands twice"):
        read_probabilities(written(tmp_path / "p", columns))
