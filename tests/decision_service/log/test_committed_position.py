"""The position of the last committed row: the highest of all processes, and no reason to fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from decision_service.log.base import NewRow
from decision_service.log.committed_position import CommittedPosition
from decision_service.log.sql import SqlLog
from policies.records.rows import ClockRow

WRITING = """
import sys
from pathlib import Path
from decision_service.log.committed_position import CommittedPosition
position = CommittedPosition(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 3_000, 3):
    position.advance(number)
"""


def test_the_highest_number_of_all_processes_stays(tmp_path: Path) -> None:
    file = tmp_path / "log-position"
    writers = [subprocess.Popen([sys.executable, "-c", WRITING, str(file), str(first)]) for first in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    position = CommittedPosition(file)
    assert position.read() == 2_999
    position.advance(5)
    assert position.read() == 2_999
    position.reset(5)
    assert position.read() == 5
    position.close()


@pytest.mark.parametrize("text", ["", "half a number", "12x"])
def test_a_damaged_file_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "log-position").write_text(text)
    position = CommittedPosition(tmp_path / "log-position")
    assert position.read() == 0
    position.advance(7)
    assert position.read() == 7
    position.close()


def test_the_log_writes_it_with_every_commit(tmp_path: Path) -> None:
    log = SqlLog.open(f"sqlite:///{tmp_path}/log.sqlite")
    assert log.committed_position() == 0
    log.append([NewRow(ClockRow(at=float(number))) for number in range(5)])
    assert log.committed_position() == 5
    log.close()


def test_a_log_is_written_although_the_position_is_not(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite-position").mkdir()
    log = SqlLog.open(f"sqlite:///{tmp_path}/log.sqlite")
    log.append([NewRow(ClockRow(at=1.0))])
    assert (log.head().position, log.committed_position()) == (1, 0)
    log.close()
