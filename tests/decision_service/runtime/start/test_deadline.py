"""A start that waits for ever is ended, with all that is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from decision_service.runtime.start.deadline import describe_start, end_after

ROOT = Path(__file__).parents[4]
WAITING = """
import signal, threading
from decision_service.runtime.start.deadline import end_after
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
with end_after(0.2, lambda: "Ray did not start", lambda reason: print(reason, flush=True)):
    threading.Event().wait()
"""


def test_a_start_that_hears_nothing_is_ended_with_its_reason() -> None:
    done = subprocess.run([sys.executable, "-c", WAITING], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "Ray did not start within 0 s\n")


def test_work_that_ends_in_time_is_not_ended() -> None:
    reports: list[str] = []
    with end_after(60.0, lambda: "never", reports.append):
        pass
    assert reports == []


def test_the_last_error_of_rays_logs_is_known(tmp_path: Path) -> None:
    assert "ERROR" not in describe_start(tmp_path / "none")
    (tmp_path / "events").mkdir()
    (tmp_path / "gcs_server.out").write_text("[2026-11-30 I 1 1] fine\n")
    (tmp_path / "raylet.out").write_bytes(b"[2026 E 1 1] first\n[2026 E 1 1] no port \xff left\n[2026 I 1 1] end\n")
    assert describe_start(tmp_path).startswith("raylet.out: [2026 E 1 1] no port \ufffd left")
