"""The processes of a killed run are found by their token and ended; no other process is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory, RunRecord
from decision_service.runtime.runtime_directory import RuntimeDirectory

OURS, THEIRS = f"ours {os.getpid()}", f"theirs {os.getpid()}"
"""Tokens of this test process. The whole machine is searched for them, where another process may run these tests."""

WAITING = "import sys; print('up', flush=True); sys.stdin.read()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITING


class ProcessStarter:
    """Starts processes that have a token in their environment."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, token: str | None, program: str = WAITING) -> subprocess.Popen[bytes]:
        environ = os.environ | ({} if token is None else {leftovers.TOKEN_VARIABLE: token})
        pipes = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", program], stdin=pipes, stdout=pipes, env=environ)
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        return process


@pytest.fixture
def starter() -> Iterator[ProcessStarter]:
    with ExitStack() as stack:
        yield ProcessStarter(stack)


def _pids(processes: list[psutil.Process]) -> set[int]:
    return {process.pid for process in processes}


def test_only_processes_with_the_same_token_are_found(starter: ProcessStarter) -> None:
    ours = starter.start(OURS)
    starter.start(THEIRS)
    starter.start(None)
    assert _pids(leftovers.find_processes(OURS)) == {ours.pid}


def test_a_dead_process_that_nobody_waited_for_is_not_found(starter: ProcessStarter) -> None:
    process = starter.start(OURS)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert leftovers.find_processes(OURS) == []


def test_a_process_that_ignores_the_request_is_killed(starter: ProcessStarter) -> None:
    process = starter.start(OURS, STUBBORN)
    leftovers.end_processes(leftovers.find_processes(OURS), patience_s=0.2)
    assert not psutil.pid_exists(process.pid)


def test_ending_one_that_is_gone_is_no_error(starter: ProcessStarter) -> None:
    process = starter.start(OURS)
    processes = leftovers.find_processes(OURS)
    process.kill()
    process.wait()
    leftovers.end_processes(processes)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunRecord]:
    runtime = RuntimeDirectory.create(OURS)
    yield RunRecord(token=OURS, home="", runtime=str(runtime.path), pid=0, started_at=0.0, url="")
    runtime.remove()


def test_a_run_is_cleared_of_processes_and_files_and_its_logs_kept(
    starter: ProcessStarter, run: RunRecord, tmp_path: Path
) -> None:
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    logs = RuntimeDirectory(Path(run.runtime)).ray_logs
    logs.mkdir(parents=True)
    (logs / "raylet.out").write_text("why")
    ours, theirs = starter.start(OURS), starter.start(THEIRS)
    assert leftovers.clear(data, run) == 1
    assert not psutil.pid_exists(ours.pid)
    assert theirs.poll() is None
    assert not Path(run.runtime).exists()
    assert (data.logs / "ray" / "raylet.out").read_text() == "why"


def test_a_directory_that_another_run_took_over_is_left_alone(run: RunRecord, tmp_path: Path) -> None:
    (Path(run.runtime) / "token").write_text(THEIRS)
    leftovers.clear(DataDirectory(tmp_path), run)
    assert Path(run.runtime).exists()
