"""The embedded Redis: real, on a socket only, without persistence, gone with its owner."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
with EmbeddedRedis(Path(sys.argv[1]), Path(sys.argv[2])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def runtime() -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory.create("mark")
    yield directory
    directory.remove()


@pytest.fixture
def server(runtime: RuntimeDirectory, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(runtime.redis_socket, tmp_path / "redis.log") as embedded:
        yield embedded


def _process(server: EmbeddedRedis) -> psutil.Process:
    assert server.pid is not None
    return psutil.Process(server.pid)


def test_it_answers_on_its_socket_and_opens_no_port(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url) as client:
        assert client.set("key", "value")
        assert client.get("key") == b"value"
    assert _process(server).net_connections("tcp") == []


def test_it_persists_and_evicts_nothing(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        wanted = {"save": "", "appendonly": "no", "maxmemory-policy": "noeviction"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_it_is_revived_empty_after_it_died(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set("key", "value")
    assert not server.revive()
    process = _process(server)
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert server.revive()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("key") is None


def test_leaving_the_context_ends_it(runtime: RuntimeDirectory, tmp_path: Path) -> None:
    with EmbeddedRedis(runtime.redis_socket, tmp_path / "redis.log") as server:
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
    arguments = [str(runtime.redis_socket), str(tmp_path / "redis.log")]
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
        EmbeddedRedis(impossible, log).__enter__()
    assert log.read_text()


@pytest.mark.parametrize("name", ["a b", "a%20b", "a#b", "a?b", "ü"])
def test_its_url_names_its_socket(runtime: RuntimeDirectory, tmp_path: Path, name: str) -> None:
    (runtime.path / name).mkdir()
    server = EmbeddedRedis(runtime.path / name / "redis.sock", tmp_path / "redis.log")
    with server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
