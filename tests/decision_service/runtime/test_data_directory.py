"""Data directories: made for their owner, locked by one service, with a record that is not valid in a copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from decision_service.runtime.data_directory import DataDirectory, DirectoryLock, RunRecord
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.leftovers import claim


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "deep" / "data")
    directory.prepare()
    return directory


def _lock(data: DataDirectory) -> DirectoryLock:
    lock = data.lock()
    assert lock is not None
    return lock


def _run(data: DataDirectory) -> RunRecord:
    return RunRecord(
        token="t" * 32,
        home=data.identity,
        runtime=str(data.path / "none"),
        pid=os.getpid(),
        url="http://127.0.0.1:8000",
    )


def test_it_is_made_for_its_owner_only(data: DataDirectory) -> None:
    assert data.path.stat().st_mode & 0o777 == 0o700
    data.prepare()


def test_one_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused, match=r"--data-dir: cannot use .*Not a directory"):
        DataDirectory(tmp_path / "file" / "data").prepare()


PREPARE = """
import os, pwd, sys
from pathlib import Path
from decision_service.runtime.data_directory import DataDirectory
from decision_service.runtime.errors import StartRefused

pwd.getpwuid(0)  # Python may lie where the other user cannot read, so load everything before
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
try:
    DataDirectory(Path(sys.argv[1])).prepare()
except StartRefused as refusal:
    print(refusal)
"""
ROOT, NOBODY = Path(__file__).parents[3], 65_534


@pytest.fixture
def directory_of_nobody() -> Iterator[Path]:
    """Make a directory outside pytest's, which other users may not enter."""
    path = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    (path / "logs").mkdir()
    for directory in (path, path / "logs"):
        os.chown(directory, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can leave files in the directory of another user")
@pytest.mark.parametrize("left", ["decisions.sqlite", "decisions.sqlite-wal", "service.lock", "logs/service.log"])
def test_a_file_that_another_user_left_is_named_with_its_owner(directory_of_nobody: Path, left: str) -> None:
    command = [sys.executable, "-c", PREPARE, str(directory_of_nobody), str(NOBODY)]
    run = partial(subprocess.run, command, cwd=ROOT, capture_output=True, text=True)
    assert run(check=True).stdout == ""
    path = directory_of_nobody / left
    path.touch(mode=0o600)
    assert run(check=True).stdout == (
        f"--data-dir: cannot write {path}, which belongs to the user root: "
        "change the owner (chown -R), or choose another directory\n"
    )


def test_it_is_locked_once_and_free_again_after_release(data: DataDirectory) -> None:
    lock = _lock(data)
    assert data.lock() is None
    lock.release()
    _lock(data).release()


def test_the_record_names_the_run_until_it_is_erased(data: DataDirectory) -> None:
    assert data.last_run() is None
    lock, run = _lock(data), _run(data)
    lock.write_record(run)
    lock.write_record(run)
    assert data.last_run() == run
    lock.erase_record()
    assert data.last_run() is None
    lock.release()


def test_a_copied_directory_does_not_claim_the_processes_of_the_original(data: DataDirectory) -> None:
    lock = _lock(data)
    lock.write_record(_run(data))
    copy = data.path.with_name("copy")
    shutil.copytree(data.path, copy)
    assert DataDirectory(copy).last_run() is None
    lock.release()


def test_a_damaged_record_is_no_record(data: DataDirectory) -> None:
    (data.path / "service.lock").write_text('{"token": "half')
    assert data.last_run() is None


def test_a_directory_in_use_is_refused_with_the_process_and_its_address(data: DataDirectory) -> None:
    lock = _lock(data)
    lock.write_record(_run(data))
    with pytest.raises(StartRefused, match=rf"of process {os.getpid()} at http://127.0.0.1:8000; stop it or"):
        claim(data, print)
    lock.release()


def test_a_claim_says_that_it_cleared_a_killed_run(data: DataDirectory) -> None:
    killed = _lock(data)
    killed.write_record(_run(data))
    killed.release()
    lines: list[str] = []
    claim(data, lines.append).release()
    assert lines == ["The last run was killed: removed what it left, 0 processes among it"]
    assert data.last_run() is None


def test_the_log_of_the_run_before_is_kept(data: DataDirectory) -> None:
    data.rotate_log()
    for run in ("first", "second"):
        data.service_log.write_text(run)
        data.serve_logs.mkdir()
        (data.serve_logs / "controller.log").write_text(run)
        data.rotate_log()
        assert (data.logs / "service.log.1").read_text() == run
        assert (data.logs / "serve.1" / "controller.log").read_text() == run
    assert not data.service_log.exists()
    assert not data.serve_logs.exists()


def test_ray_logs_of_the_last_run_take_the_place_of_older_ones(data: DataDirectory, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
        data.keep_logs(tmp_path / name)
    data.keep_logs(tmp_path / "absent")
    assert [path.name for path in (data.logs / "ray").iterdir()] == ["new"]
