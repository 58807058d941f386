"""Runtime directories: short enough for every socket, private, removed only by their own run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from decision_service.runtime.runtime_directory import RuntimeDirectory

NODE_ID = "a" * 56
SESSION = "session_2026-12-31_23-59-59_999999_4194304"


@pytest.fixture
def runtime() -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory.create("mark")
    yield directory
    directory.remove()


def test_every_socket_fits_however_long_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 200)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    runtime = RuntimeDirectory.create("mark")
    sockets = [
        runtime.redis_socket,
        runtime.haproxy / NODE_ID / "a.4194304.tmp",
        runtime.ray / SESSION / "sockets" / "plasma_store.1",
    ]
    assert max(len(os.fsencode(path)) for path in sockets) <= 107
    runtime.remove()


@pytest.mark.parametrize("name", ["a b", "a%20b", "a#b", "a?b", "ü", "a[b]", "a\nb", "a'b"])
def test_a_path_that_ray_or_haproxy_would_misread_is_not_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as short:
        (Path(short) / name).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(Path(short) / name))
        runtime = RuntimeDirectory.create("mark")
        assert runtime.path.parent == Path("/tmp")
        runtime.remove()


def test_it_is_private(runtime: RuntimeDirectory) -> None:
    assert runtime.path.stat().st_mode & 0o777 == 0o700


def test_it_belongs_to_the_run_whose_token_it_holds(runtime: RuntimeDirectory) -> None:
    assert runtime.belongs_to("mark")
    assert not runtime.belongs_to("other")
    assert not RuntimeDirectory(runtime.path / "absent").belongs_to("mark")


def test_it_is_pinned_against_cleaning_but_can_be_removed(runtime: RuntimeDirectory) -> None:
    pinned = runtime.pin()
    runtime.remove()
    runtime.remove()
    os.close(pinned)
    assert not runtime.path.exists()
