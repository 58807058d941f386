"""The embedded Redis: real, on a socket only, gone with its owner, and back with its last snapshot."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from decision_service.runtime.die_with_parent import wrap_command
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.runtime_directory import RuntimeDirectory

OWNER = """
import sys
from pathlib import Path
from decision_service.runtime.embedded_redis import EmbeddedRedis
with EmbeddedRedis(*map(Path, sys.argv[1:])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def runtime() -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory.create("mark")
    yield directory
    directory.remove()


def _make_server(runtime: RuntimeDirectory, tmp_path: Path) -> EmbeddedRedis:
    return EmbeddedRedis(runtime.redis_socket, tmp_path / "redis.log", tmp_path / "redis")


@pytest.fixture
def server(runtime: RuntimeDirectory, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with _make_server(runtime, tmp_path) as embedded:
        yield embedded


def _process(server: EmbeddedRedis) -> psutil.Process:
    assert server.pid is not None
    return psutil.Process(server.pid)


def _kill(*processes: psutil.Process) -> None:
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=10)


def _read(server: EmbeddedRedis, key: str) -> bytes | None:
    with redis.Redis.from_url(server.url) as client:
        value: bytes | None = client.get(key)
        return value


def _write(server: EmbeddedRedis, key: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set(key, "value")


def test_it_answers_on_its_socket_and_opens_no_port(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url) as client:
        assert client.set("key", "value")
        assert client.get("key") == b"value"
    assert _process(server).net_connections("tcp") == []


def test_it_evicts_nothing_and_goes_on_without_snapshots(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        wanted = {"appendonly": "no", "maxmemory-policy": "noeviction", "stop-writes-on-bgsave-error": "no"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_leaving_the_context_ends_it(runtime: RuntimeDirectory, tmp_path: Path) -> None:
    with _make_server(runtime, tmp_path) as server:
        process = _process(server)
    assert not process.is_running()
    assert server.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_program_whose_owner_died_before_it_was_bound_to_the_owner_does_not_run(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as owner:
        pass
    touch = [shutil.which("touch") or "touch", str(tmp_path / "ran")]
    assert subprocess.run(wrap_command(touch, parent=owner.pid)).returncode != 0
    assert not (tmp_path / "ran").exists()
    assert subprocess.run(wrap_command(touch, parent=os.getpid())).returncode == 0
    assert (tmp_path / "ran").exists()


def test_it_dies_with_a_killed_owner(runtime: RuntimeDirectory, tmp_path: Path) -> None:
    arguments = [str(runtime.redis_socket), str(tmp_path / "redis.log"), str(tmp_path / "redis")]
    pipes = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", OWNER, *arguments], stdin=pipes, stdout=pipes) as owner:
        assert owner.stdout is not None
        process = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    _, alive = psutil.wait_procs([process], timeout=10)
    assert alive == []


def test_a_socket_that_cannot_be_made_is_refused_with_the_log_to_read(tmp_path: Path) -> None:
    log = tmp_path / "redis.log"
    impossible = tmp_path / "absent" / "redis.sock"
    with pytest.raises(StartRefused, match=r"--redis-url: the embedded Redis did not start; see .*redis\.log"):
        EmbeddedRedis(impossible, log, tmp_path / "redis").__enter__()
    assert log.read_text()


@pytest.mark.parametrize("name", ["a b", "a%20b", "a#b", "a?b", "ü"])
def test_its_url_names_its_socket(runtime: RuntimeDirectory, tmp_path: Path, name: str) -> None:
    (runtime.path / name).mkdir()
    server = EmbeddedRedis(runtime.path / name / "redis.sock", tmp_path / "redis.log", tmp_path / name)
    with server, redis.Redis.from_url(server.url) as client:
        assert client.ping()


# -- snapshots ----------------------------------------------------------------------------------------------------


def test_it_leaves_a_snapshot_for_its_owner_alone_and_begins_with_it(runtime: RuntimeDirectory, tmp_path: Path) -> None:
    for number in range(3):
        with _make_server(runtime, tmp_path) as server:
            assert _read(server, "key") == (b"value" if number else None)
            _write(server, "key")
    (snapshot,) = (tmp_path / "redis").iterdir()
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
    assert stat.S_IMODE(snapshot.parent.stat().st_mode) == 0o700


def test_it_is_revived_with_its_last_snapshot(server: EmbeddedRedis) -> None:
    _write(server, "saved")
    with redis.Redis.from_url(server.url) as client:
        client.save()
    _write(server, "lost")
    assert not server.revive()
    _kill(_process(server))
    assert server.revive()
    assert (_read(server, "saved"), _read(server, "lost")) == (b"value", None)


def test_killed_in_the_middle_of_a_snapshot_it_begins_with_the_one_before(
    server: EmbeddedRedis, tmp_path: Path
) -> None:
    _write(server, "saved")
    with redis.Redis.from_url(server.url) as client:
        client.save()
        client.config_set("rdb-key-save-delay", 10_000_000)  # microseconds
        client.set("unfinished", "value")
        client.bgsave()
    while not list((tmp_path / "redis").glob("temp-*")):
        time.sleep(0.01)
    process = _process(server)
    _kill(process, *process.children())
    assert server.revive()
    assert (_read(server, "saved"), _read(server, "unfinished")) == (b"value", None)
    assert [file.name for file in (tmp_path / "redis").iterdir()] == ["states.rdb"]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "version", "flipped"])
def test_a_snapshot_that_cannot_be_loaded_is_deleted_with_a_warning(
    runtime: RuntimeDirectory, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    with _make_server(runtime, tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.hset("hash", mapping={str(number): os.urandom(100) for number in range(100)})
    snapshot = tmp_path / "redis" / "states.rdb"
    whole = snapshot.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "cut": whole[:middle],
        "empty": b"",
        "text": b"What is this?" * 100,
        "version": b"REDIS0099" + whole[9:],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    }
    snapshot.write_bytes(damaged[damage])
    with caplog.at_level(logging.WARNING), _make_server(runtime, tmp_path) as server:
        assert _read(server, "hash") is None
        assert list(snapshot.parent.iterdir()) == []
    assert caplog.text.count("could not be loaded and was deleted") == 1


def test_a_server_that_cannot_start_at_all_keeps_its_snapshot(runtime: RuntimeDirectory, tmp_path: Path) -> None:
    with _make_server(runtime, tmp_path) as server:
        _write(server, "key")
    snapshot = tmp_path / "redis" / "states.rdb"
    whole = snapshot.read_bytes()
    impossible = EmbeddedRedis(tmp_path / "absent" / "redis.sock", tmp_path / "redis.log", tmp_path / "redis")
    with pytest.raises(StartRefused):
        impossible.__enter__()
    assert snapshot.read_bytes() == whole
