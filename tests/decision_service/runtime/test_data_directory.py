"""Data directories: made for their owner, held by one service, with a record that a copy does not inherit."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
import pytest

from decision_service.runtime.claim import claim
from decision_service.runtime.data_directory import DataDirectory, Hold, Run
from decision_service.runtime.errors import StartRefused


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "deep" / "data")
    directory.prepare()
    return directory


def _held(data: DataDirectory) -> Hold:
    hold = data.hold()
    assert hold is not None
    return hold


def _run(data: DataDirectory, *, pid: int | None = None, started_at: float | None = None) -> Run:
    process = psutil.Process(pid)
    return Run(
        token="t" * 32,
        home=data.identity,
        runtime=str(data.path / "none"),
        pid=process.pid,
        started_at=process.create_time() if started_at is None else started_at,
        url="http://127.0.0.1:8000",
    )


def test_it_is_made_for_its_owner_only(data: DataDirectory) -> None:
    assert data.path.stat().st_mode & 0o777 == 0o700
    data.prepare()


def test_one_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused, match=r"--data-dir: cannot use .*Not a directory"):
        DataDirectory(tmp_path / "file" / "data").prepare()


def test_it_is_held_once_and_free_again_after_release(data: DataDirectory) -> None:
    hold = _held(data)
    assert data.hold() is None
    hold.release()
    _held(data).release()


def test_the_record_tells_of_the_run_until_it_is_forgotten(data: DataDirectory) -> None:
    assert data.last_run() is None
    hold, run = _held(data), _run(data)
    hold.write(run)
    hold.write(run)
    assert data.last_run() == run
    hold.forget()
    assert data.last_run() is None
    hold.release()


def test_a_copied_directory_does_not_claim_the_processes_of_the_original(data: DataDirectory) -> None:
    hold = _held(data)
    hold.write(_run(data))
    copy = data.path.with_name("copy")
    shutil.copytree(data.path, copy)
    assert DataDirectory(copy).last_run() is None
    hold.release()


def test_a_damaged_record_is_no_record(data: DataDirectory) -> None:
    (data.path / "service.lock").write_text('{"token": "half')
    assert data.last_run() is None


def test_a_number_given_to_another_process_is_not_the_run(data: DataDirectory) -> None:
    assert _run(data).is_alive()
    assert not _run(data, started_at=1.0).is_alive()


def test_a_directory_in_use_is_refused_with_the_process_and_its_address(data: DataDirectory) -> None:
    hold = _held(data)
    hold.write(_run(data))
    with pytest.raises(StartRefused, match=rf"of process {os.getpid()} at http://127.0.0.1:8000; stop it or"):
        claim(data, print)
    hold.release()


def test_a_claim_says_that_it_cleared_a_killed_run(data: DataDirectory) -> None:
    killed = _held(data)
    killed.write(_run(data, started_at=1.0))
    killed.release()
    said: list[str] = []
    claim(data, said.append).release()
    assert said == ["The last run was killed: removed what it left, 0 processes among it"]
    assert data.last_run() is None


def test_the_log_of_the_run_before_is_kept(data: DataDirectory) -> None:
    data.rotate_log()
    data.service_log.write_text("first")
    data.rotate_log()
    assert (data.logs / "service.log.1").read_text() == "first"
    assert not data.service_log.exists()


def test_ray_logs_of_the_last_run_take_the_place_of_older_ones(data: DataDirectory, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
        data.keep_logs(tmp_path / name)
    data.keep_logs(tmp_path / "absent")
    assert [path.name for path in (data.logs / "ray").iterdir()] == ["new"]
