"""Limits of the system: refused by name before Ray starts, raised where permitted, and felt by the ingress."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
RAISE = """
import resource, sys
name, soft, hard = sys.argv[1:]
resource.setrlimit(getattr(resource, name), (int(soft), int(hard)))
from decision_service.runtime.start.limits import count_connections, describe_limits, raise_limits
raise_limits(print)
print(resource.getrlimit(getattr(resource, name))[0], count_connections(), describe_limits())
"""


def _serve(limit: str, data_dir: Path) -> tuple[int, str]:
    serve = f"{sys.executable} -m decision_service serve --port 0 --data-dir {data_dir}"
    done = subprocess.run(["bash", "-c", f"{limit}; exec {serve}"], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("ulimit -n 256", "ulimit -n: a process may open 256 files, and the service needs 1024; raise the limit"),
        ("ulimit -f 50000", "ulimit -f: a file may have 48 MiB, and Ray needs one of more than 100 MiB; lift the"),
    ],
)
def test_a_limit_that_is_too_low_is_refused_by_name(tmp_path: Path, limit: str, reason: str) -> None:
    code, error = _serve(limit, tmp_path / "data")
    assert code == 1
    assert error.startswith(f"decision-service: {reason}")
    assert len(error.splitlines()) == 1


def _raise(name: str, soft: int, hard: int) -> list[str]:
    command = [sys.executable, "-c", RAISE, name, str(soft), str(hard)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_low_soft_limit_is_raised_to_the_hard_one() -> None:
    (line,) = _raise("RLIMIT_NOFILE", 256, 12_000)
    assert line.startswith("12000 4096 ")
    assert "ulimit -n 12000" in line


def test_a_low_hard_limit_of_open_files_leaves_fewer_connections() -> None:
    said, line = _raise("RLIMIT_NOFILE", 256, 4096)
    assert said == "At most 1598 connections at once, since a process may open 4096 files (ulimit -n)"
    assert line.startswith("4096 1598 ")


def test_a_limit_of_the_size_of_files_is_said() -> None:
    said, _ = _raise("RLIMIT_FSIZE", 2**30, 2**30)
    assert said == "The log cannot grow beyond 1024 MiB, the limit of a file (ulimit -f)"
