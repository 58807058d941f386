"""The processes of a killed run are found by their token and ended; no other process is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory, RunRecord
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.runtime_directory import RuntimeDirectory

OURS, THEIRS = f"ours {os.getpid()}", f"theirs {os.getpid()}"
"""Tokens of this test process. The whole machine is searched for them, where another process may run these tests."""

WAITING = "import sys; print('up', flush=True); sys.stdin.read()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITING


SUPERVISOR = """
import os, subprocess, sys
from pathlib import Path
from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory
from decision_service.runtime.supervisor import Supervisor
from decision_service.runtime import ports
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.settings import Settings

data = DataDirectory(Path(sys.argv[1]))
data.prepare()
lock = leftovers.claim(data, lambda line: None)
runtime = RuntimeDirectory.create(sys.argv[2])
supervisor = Supervisor(Settings.load({"data_dir": sys.argv[1]}, {}), "", print)
lock.write_record(supervisor._describe_run(sys.argv[2], runtime, ports.choose(8000)))
driver = [sys.executable, "-c", sys.argv[3]]
environ = os.environ | {leftovers.TOKEN_VARIABLE: sys.argv[2]}
subprocess.Popen(driver, pass_fds=[lock.fd], env=environ).wait()
"""
"""A supervisor and a driver, with the locks, the record and the token of a real service, and without Ray."""


class ProcessStarter:
    """Starts processes that have a token in their environment."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, token: str | None, program: str = WAITING, *arguments: str) -> subprocess.Popen[bytes]:
        environ = os.environ | ({} if token is None else {leftovers.TOKEN_VARIABLE: token})
        pipes, command = subprocess.PIPE, [sys.executable, "-c", program, *arguments]
        process = subprocess.Popen(command, stdin=pipes, stdout=pipes, env=environ)
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
    yield RunRecord(token=OURS, home="", runtime=str(runtime.path), pid=0, url="")
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


@dataclass(frozen=True)
class Service:
    """A data directory and the two processes that hold its locks."""

    data: DataDirectory
    supervisor: subprocess.Popen[bytes]

    @property
    def driver(self) -> psutil.Process:
        (driver,) = leftovers.find_processes(OURS)
        return driver

    def step_clock(self) -> None:
        """Change the record as a step of the clock by three seconds does: start times are counted from the boot."""
        record = json.loads((self.data.path / "service.lock").read_bytes())
        record["started_at"] = record.get("started_at", 0.0) - 3.0
        (self.data.path / "service.lock").write_text(json.dumps(record))

    def kill_supervisor(self) -> None:
        self.supervisor.kill()
        self.supervisor.wait()


def _has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def start_service(starter: ProcessStarter, tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    data = DataDirectory(tmp_path / "data")
    yield lambda driver: Service(data, starter.start(None, SUPERVISOR, str(data.path), OURS, driver))
    if (run := data.last_run()) is not None:
        leftovers.clear(data, run)


def test_a_step_of_the_clock_ends_no_service(start_service: Callable[[str], Service]) -> None:
    service = start_service(WAITING)
    service.step_clock()
    with pytest.raises(StartRefused, match=f"is used by the service of process {service.supervisor.pid}"):
        leftovers.claim(service.data, print)
    assert not _has_ended(service.driver)
    assert service.supervisor.poll() is None


def test_a_supervisor_that_stands_still_is_no_dead_one(start_service: Callable[[str], Service]) -> None:
    service = start_service(WAITING)
    service.supervisor.send_signal(signal.SIGSTOP)
    with pytest.raises(StartRefused, match="is used by the service"):
        leftovers.claim(service.data, print)
    assert not _has_ended(service.driver)


def test_the_driver_of_a_killed_supervisor_is_waited_for(start_service: Callable[[str], Service]) -> None:
    service, lines = start_service(WAITING), list[str]()
    driver = service.driver
    service.kill_supervisor()
    assert service.supervisor.stdin is not None
    service.supervisor.stdin.close()  # the driver reads from the same pipe, and ends
    leftovers.claim(service.data, lines.append).release()
    assert _has_ended(driver)
    assert "The last run was killed: removed what it left, 0 processes among it" in lines


def test_a_driver_that_outlives_its_supervisor_is_ended(
    start_service: Callable[[str], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_KILLED_RUN_ENDS_WITHIN_S", 0.2)
    service, lines = start_service(STUBBORN), list[str]()
    driver = service.driver
    service.kill_supervisor()
    leftovers.claim(service.data, lines.append).release()
    assert _has_ended(driver)
    assert lines[0] == "A killed run on this data directory is still stopping; waiting for it …"


def test_a_service_of_the_version_before_is_left_alone(start_service: Callable[[str], Service]) -> None:
    """Its supervisor holds no lock of its own, so nobody can know whether the supervisor lives."""
    service = start_service(WAITING)
    record = json.loads((service.data.path / "service.lock").read_bytes())
    del record["locks_supervisor"]
    (service.data.path / "service.lock").write_text(json.dumps(record | {"started_at": 1.0}))
    (service.data.path / "supervisor.lock").unlink()
    with pytest.raises(StartRefused, match="is used by the service of process"):
        leftovers.claim(service.data, print)
    assert not _has_ended(service.driver)


def test_a_process_that_an_ending_process_began_is_ended_too(starter: ProcessStarter, tmp_path: Path) -> None:
    """The raylet begins its agents at a moment when a list of its run's processes may already have been made."""
    heir = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAITING!r}])"
    program = f"import signal, sys\ndef end(*_):\n    {heir}\n    sys.exit()\nsignal.signal(15, end)\n{WAITING}"
    starter.start(OURS, program)
    run = RunRecord(token=OURS, home="", runtime=str(tmp_path / "none"), pid=0, url="")
    assert leftovers.clear(DataDirectory(tmp_path), run) == 2
    assert leftovers.find_processes(OURS) == []
