"""The service log: every warning of every process is in it at once, whole, and not a thousand times."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from decision_service.service_log import REQUEST_ID, ServiceLog

_WRITER = """
import logging, os, signal, sys, threading
from pathlib import Path
from decision_service.service_log import REQUEST_ID, write_warnings
write_warnings(Path(sys.argv[1]), "replica")
logger = logging.getLogger("decision_service.api")
logger.info("nothing to worry about")
REQUEST_ID.set("r-1")
for number in range(200):
    logger.warning("%s %s", sys.argv[2], f"{number:03} " + "x" * 500)
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("decide failed")
thread = threading.Thread(target=lambda: {}["missing"], name="learner")
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_processes_wrote_before_they_were_killed_is_there_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in ("a", "b", "c")]
    assert [writer.wait() for writer in writers] == [-signal.SIGKILL] * 3
    text = path.read_text()
    for writer, name in zip(writers, ("a", "b", "c"), strict=True):
        begin = f"WARNING replica/{writer.pid} [r-1] decision_service.api: {name} "
        lines = [line for line in text.splitlines() if begin in line]
        assert [line.partition(begin)[2] for line in lines] == [f"{number:03} " + "x" * 500 for number in range(200)]
        assert f"ERROR replica/{writer.pid} [r-1] decision_service.api: decide failed\nTraceback" in text
        assert f"CRITICAL replica/{writer.pid}" in text
    assert text.count("the thread learner died") == 3
    assert "KeyError: 'missing'" in text
    assert "nothing to worry about" not in text


def test_what_repeats_is_written_once_a_minute_with_the_number_of_repeats(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    handler = ServiceLog(path, "replica")
    for second in range(0, 150):
        record = logging.makeLogRecord(
            {"name": "n", "levelno": logging.WARNING, "msg": "away: 100%", "created": second}
        )
        handler.handle(record)
    lines = path.read_text().splitlines()
    assert [line.partition("n: ")[2] for line in lines] == ["away: 100%", *["away: 100% (59 more since)"] * 2]


def test_a_log_that_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    for path in (Path("/dev/full"), tmp_path / "absent" / "service.log", tmp_path):
        ServiceLog(path, "replica").handle(logging.makeLogRecord({"levelno": logging.ERROR, "msg": "lost"}))


def test_a_record_outside_of_requests_names_none_and_bad_text_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    ServiceLog(path, "learner").handle(logging.makeLogRecord({"levelno": logging.ERROR, "msg": "\ud800"}))
    assert f"learner/{os.getpid()} [-]" in path.read_text()
    assert "\\ud800" in path.read_text()
    assert REQUEST_ID.get() == "-"
