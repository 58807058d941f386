"""A long log has the rows of a real one, again and again, with other ids, shoppers and times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.logs.long_log import lengthen, new_rows
from benchmarks.speed.logs.real_log import open_log
from decision_service.log.reading import read_rows
from policies.records.rows import DecisionRow, EventRow, FenceRow, PolicyRecord, Row

NOW = 1_795_280_400.0


def rows() -> list[Row]:
    decision = DecisionRow(
        at=NOW,
        event_id="e-1",
        shopper_id="s-1",
        fingerprint="",
        triggers=(),
        context={},
        catalogue_version=1,
        rules_version=1,
        policy=PolicyRecord("rule", 0, "frozen"),
        arm="treatment",
        answer="",
    )
    return [FenceRow(NOW), decision, EventRow(NOW + 1, "s-1", "session", NOW + 1, id="v-1")]


@pytest.mark.parametrize("size", [1, 7, 2_500])
def test_a_log_becomes_as_long_as_wanted_and_ends_at_the_times_of_the_original(tmp_path: Path, size: int) -> None:
    log = open_log(tmp_path)
    log.append(list(new_rows(rows())))
    log.close()
    length = lengthen(tmp_path, size, days=2.0, crowds=3)
    log = open_log(tmp_path)
    stored = [row.row for row in read_rows(log)]
    log.close()
    decisions = [row for row in stored if isinstance(row, DecisionRow)]
    assert size < length == len(stored) == 2 * len(decisions) + 1
    assert len({row.event_id for row in decisions}) == len(decisions)
    assert {row.shopper_id for row in decisions} == {f"s-1-{crowd}" for crowd in range(min(3, len(decisions)))}
    assert stored[0] == FenceRow(NOW - 2 * 86_400.0)
    assert decisions[-1].at == NOW
