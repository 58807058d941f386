"""Before Ray starts: what cannot be used is named in one sentence, and what the log can make anew is made anew."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import redis as redis_client

from decision_service.app import open_learner, open_log, open_registry
from decision_service.cli import rebuild_state
from decision_service.log.base import NewRow
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.start.damage import look_for_damage
from decision_service.runtime.start.stores import check_log, check_stores
from decision_service.settings import Settings
from policies.records.rows import ClockRow
from policies.shopper.fold import FOLD_VERSION
from tests.conftest import RealRedis
from tests.decision_service.conftest import Start
from tests.factories import small_document

PAGE = 4096


def _settings(data_dir: Path, redis_url: str, **options: object) -> Settings:
    return Settings.load({"data_dir": str(data_dir), "redis_url": redis_url} | options, {})


def _refusal(settings: Settings) -> str:
    with pytest.raises(StartRefused) as refusal:
        check_stores(settings, print)
    assert len(str(refusal.value).splitlines()) == 1
    return str(refusal.value)


# -- Redis --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "url", "reason"),
    [
        ("--requirepass right", "unix://{}", "it wants a password: give redis://:PASSWORD@host:port/0"),
        ("--requirepass right", "unix://:secret@{}", "it refuses the user or the password of the URL: correct them"),
        ("--maxmemory-policy allkeys-lru", "unix://{}", "set its maxmemory-policy to noeviction, not allkeys-lru"),
        ("--replicaof 127.0.0.1 1", "unix://{}", "it is a read-only replica: give the URL of its primary"),
        ("--replicaof 127.0.0.1 1 --replica-read-only no", "unix://{}", "it is a read-only replica: give the URL of"),
        ("--maxmemory 1", "unix://{}", "its memory is full: raise its maxmemory"),
        ("", "unix://{}?db=99", "it has no database of this number: give another number at the end of the URL"),
        ("--user default on nopass ~* +@all -script", "unix://{}", "its user lacks a permission: grant it all"),
        ("", "unix://{}.not-there", "there is no such socket: start it, or correct the path"),
    ],
)
def test_a_redis_that_cannot_be_used_is_refused_with_the_cure(
    tmp_path: Path, redis: RealRedis, options: str, url: str, reason: str
) -> None:
    redis.kill()
    redis.start(*options.split())
    refusal = _refusal(_settings(tmp_path, url.format(redis.socket)))
    assert refusal.startswith(f"--redis-url: the Redis at {redis.socket}")
    assert reason in refusal
    assert "secret" not in refusal


class _Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web_port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_an_address_without_a_redis_is_refused(tmp_path: Path, web_port: int) -> None:
    refusal = _refusal(_settings(tmp_path, "redis://u:secret@127.0.0.1:1/0"))
    assert refusal == (
        "--redis-url: the Redis at 127.0.0.1:1 cannot be used: nobody listens there: start it, or correct the address"
    )
    assert "the name of its host is not known" in _refusal(_settings(tmp_path, "redis://no-such-host.invalid"))
    assert "what answers there is no Redis" in _refusal(_settings(tmp_path, f"redis://127.0.0.1:{web_port}"))


@pytest.mark.parametrize("option", ["socket_timeout=soon", "colour=blue"])
def test_an_unknown_option_of_the_url_is_refused(tmp_path: Path, redis: RealRedis, option: str) -> None:
    refusal = _refusal(_settings(tmp_path, f"{redis.url}?{option}"))
    assert refusal.startswith("--redis-url: an option of the URL cannot be used: ")
    assert option.partition("=")[0] in refusal


# -- the log ------------------------------------------------------------------------------------------------------


def _write_rows(settings: Settings, count: int) -> None:
    log = open_log(settings)
    log.append([NewRow(ClockRow(at=float(number))) for number in range(count)])
    log.close()


def _destroy(file: Path, *pages: int) -> None:
    with file.open("r+b") as database:
        for page in pages:
            database.seek(page * PAGE)
            database.write(os.urandom(PAGE))


def test_a_damaged_log_is_refused_with_the_cure(tmp_path: Path, redis: RealRedis) -> None:
    settings, file = _settings(tmp_path, redis.url), tmp_path / "decisions.sqlite"
    _write_rows(settings, 2_000)
    whole = file.read_bytes()
    pages = len(whole) // PAGE
    for damaged in [(0,), range(pages // 2, pages // 2 + 4)]:
        file.write_bytes(whole)
        _destroy(file, *damaged)
        refusal = _refusal(settings)
        assert refusal.startswith(f"--database-url: the log {file} cannot be used (")
        assert refusal.endswith(f"restore a backup, or save what can be read with: sqlite3 {file} .recover")
        with pytest.raises(StartRefused, match="cannot be used"):
            check_log(settings)
        worked = False
        with pytest.raises(StartRefused, match="cannot be used"), look_for_damage(settings):
            worked = True
        assert worked


def test_a_log_in_no_directory_is_refused(tmp_path: Path, redis: RealRedis) -> None:
    url = f"sqlite:///{tmp_path}/none/log.sqlite"
    refusal = _refusal(_settings(tmp_path, redis.url, database_url=url))
    assert refusal.startswith(f"--database-url: the log {tmp_path}/none/log.sqlite cannot be opened (unable to open")


def test_a_log_that_an_earlier_version_kept_elsewhere_is_not_begun_anew(tmp_path: Path, redis: RealRedis) -> None:
    for name in ("50%20off", "50 off"):
        (tmp_path / name).mkdir()
    _write_rows(_settings(tmp_path / "50 off", redis.url), 1)
    settings = _settings(tmp_path / "50%20off", redis.url)
    assert _refusal(settings) == (
        f"--database-url: an earlier version kept this log at {tmp_path}/50 off/decisions.sqlite; "
        f"move it, with its -wal file, to {tmp_path}/50%20off/decisions.sqlite"
    )
    (tmp_path / "50 off" / "decisions.sqlite").rename(tmp_path / "50%20off" / "decisions.sqlite")
    check_stores(settings, print)


@pytest.mark.parametrize(("option", "value"), [("clock", "request"), ("seed", "8")])
def test_a_setting_that_contradicts_the_log_is_refused(
    tmp_path: Path, redis: RealRedis, option: str, value: str
) -> None:
    check_stores(_settings(tmp_path, redis.url, seed="7"), print)
    assert _refusal(_settings(tmp_path, redis.url, **{option: value})).startswith(f"--{option}: these data were made")


# -- the registry -------------------------------------------------------------------------------------------------

CATALOGUE = small_document()
CLICK = {"feedback_id": "f", "type": "click"}


async def _learn(replica: Start, count: int) -> None:
    """Decide, click, and let the windows end, so that versions are published and used."""
    async with replica(CATALOGUE) as service:
        for number in range(count):
            now = f"2026-11-2{number + 1}T17:00:00Z"
            await service.decide(event_id=f"e-{number}", shopper_id=f"s-{number}", now=now)
            await service.post("/v1/feedback", CLICK | {"event_id": f"e-{number}", "now": now})
            await service.post("/v1/clock", {"now": f"2026-11-2{number + 2}T16:00:00Z"})


@pytest.mark.anyio
@pytest.mark.parametrize("damage", ["header", "pages", "deleted", "text"])
async def test_a_registry_is_learned_again_and_no_number_is_given_twice(
    replica: Start, tmp_path: Path, redis: RealRedis, damage: str
) -> None:
    await _learn(replica, 3)
    settings = _settings(tmp_path, redis.url, clock="request", seed="1")
    file = tmp_path / "models.sqlite"
    registry = open_registry(settings)
    before = registry.latest()
    payload = registry.load(before).payload
    registry.close()
    assert before == 3
    if damage == "deleted":
        file.unlink()
    elif damage == "text":
        file.write_text("What is this?" * 1_000)
    else:
        _destroy(file, *({"header": [0], "pages": range(1, 8)}[damage]))

    lines: list[str] = []
    await asyncio.to_thread(check_stores, settings, lines.append)
    assert len(lines) == 1
    assert "the models are learned again from the log" in lines[0]
    kept = tmp_path / "models.damaged.sqlite"
    assert kept.exists() == (damage != "deleted")
    assert kept.exists() == (str(kept) in lines[0])

    learner = open_learner(settings)
    log = open_log(settings)
    used = 2  # the last decision was made with version 2
    assert learner.catch_up(log.head().position) == used + 1
    registry = open_registry(settings)
    assert registry.load(used + 1).payload == payload
    for opened in (log, registry):
        opened.close()
    learner.stop()


@pytest.mark.anyio
async def test_a_checkpoint_that_cannot_be_read_is_learned_again(
    replica: Start, tmp_path: Path, redis: RealRedis
) -> None:
    await _learn(replica, 2)
    settings = _settings(tmp_path, redis.url, clock="request", seed="1")
    registry = open_registry(settings)
    checkpoint = registry.checkpoint()
    assert checkpoint is not None
    for payload in (b"", os.urandom(1_000), checkpoint.payload[:-100], b"\x90" + checkpoint.payload[1:]):
        stored = registry.checkpoint()
        registry.save(stored, type(checkpoint)(checkpoint.position, payload), model=None, metadata={})
        learner = open_learner(settings)
        assert learner.progress.learned == 0
        learner.catch_up(checkpoint.position)
        assert registry.checkpoint() == checkpoint
        learner.stop()
    registry.close()


def test_a_registry_of_a_newer_version_is_refused(tmp_path: Path, redis: RealRedis) -> None:
    settings = _settings(tmp_path, redis.url)
    open_registry(settings).close()
    with sqlite3.connect(tmp_path / "models.sqlite") as connection:
        connection.execute("UPDATE registry_schema SET version_num = 'v9999'")
    connection.close()
    refusal = _refusal(settings)
    assert refusal.startswith(f"--data-dir: {tmp_path}/models.sqlite cannot be used: ")
    assert "written by a newer one" in refusal
    assert not (tmp_path / "models.damaged.sqlite").exists()


# -- the end of the log -------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_lost_rows_are_counted_and_forgotten_everywhere(
    replica: Start, tmp_path: Path, redis: RealRedis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cut = tmp_path_factory.mktemp("cut") / "data"
    async with replica(CATALOGUE) as service:
        for number in range(12):
            await service.decide(event_id=f"e-{number}", shopper_id=f"s-{number % 3}", now="2026-11-21T17:00:00Z")
            await service.post("/v1/clock", {"now": f"2026-11-21T17:{number + 10}:00Z"})
        rows = service.rows()
        shutil.copytree(tmp_path, cut)  # while the log is open, its last rows are in the -wal file
        wal = cut / "decisions.sqlite-wal"
        os.truncate(wal, wal.stat().st_size // 2)

    settings = _settings(cut, redis.url, clock="request", seed="1")
    log = open_log(settings)
    end = log.head().position
    assert 0 < end < rows
    lines: list[str] = []
    await asyncio.to_thread(check_stores, settings, lines.append)
    assert lines[0].startswith(f"The log has lost its end: {rows - end} rows are missing after position {end}, ")
    await asyncio.to_thread(check_stores, settings, lines.append)
    assert len(lines) == 1  # said once

    async with replica(data_dir=cut) as service:
        await service.decide(event_id="after", shopper_id="s-1", now="2026-11-21T18:00:00Z")
        await service.post("/v1/clock", {"now": "2026-11-21T18:00:00Z"})
        assert service.learner.progress.position >= end + 2
    options = {"data_dir": str(cut), "redis_url": redis.url}
    assert await asyncio.to_thread(lambda: rebuild_state.run(options, verify=True)) == 0
    log.close()


def _verify(data_dir: Path, url: str) -> int:
    return rebuild_state.run({"data_dir": str(data_dir), "redis_url": url}, verify=True)


@pytest.mark.anyio
async def test_states_of_a_log_that_was_restored_and_grew_are_made_anew(
    replica: Start, tmp_path: Path, redis: RealRedis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The log of the backup is longer than the states' position again, so only its rows tell the difference."""
    backup = tmp_path_factory.mktemp("backup") / "data"
    async with replica(CATALOGUE, policy="rule") as service:
        await service.decide(event_id="before", shopper_id="s-0")
    shutil.copytree(tmp_path, backup)
    async with replica(CATALOGUE, policy="rule") as service:
        for number in range(3):
            await service.decide(event_id=f"e-{number}", shopper_id=f"s-{number}")
    with redis_client.Redis.from_url(redis.url) as client:
        (name,) = client.keys("ds:*:meta")
        states = {key: client.dump(key) for key in client.keys("ds:*")}
        async with replica(CATALOGUE, policy="rule", data_dir=backup) as service:  # makes them anew, in this Redis
            for number in range(9):
                await service.decide(event_id=f"e-{number}", shopper_id=f"s-{number + 1}")
        client.flushall()
        for key, value in states.items():
            client.restore(key, 0, value)
        position = int(client.hget(name, "position"))
    settings = _settings(backup, redis.url, clock="request", seed="1")
    lines: list[str] = []
    await asyncio.to_thread(check_stores, settings, lines.append)
    assert lines == [f"The states in Redis contain another row at position {position}: they are made anew from the log"]
    async with replica(data_dir=backup, policy="rule"):
        assert await asyncio.to_thread(_verify, backup, redis.url) == 0


@pytest.mark.anyio
async def test_a_snapshot_of_no_use_is_forgotten_whole(
    replica: Start, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    socket = Path(tmp_path_factory.mktemp("s")) / "r"
    with EmbeddedRedis(socket, tmp_path / "redis.log", tmp_path / "redis") as server:

        async def forgets(data_dir: Path, **changes: object) -> bool:
            """Return whether a start forgets the states of one decision, some fields of which are changed."""
            with redis_client.Redis.from_url(server.url) as client:
                client.flushall()
                async with replica(CATALOGUE, redis_url=server.url, policy="rule") as service:
                    await service.decide()
                (meta,) = client.keys("ds:*:meta")
                for name, value in changes.items():
                    client.hset(meta, name, str(value))
                settings = _settings(data_dir, server.url, clock="request", seed="1")
                await asyncio.to_thread(check_stores, settings, print, server)
                return not client.keys("ds:*:s:*")

        assert not await forgets(tmp_path)
        assert await forgets(other)  # of another log
        assert await forgets(tmp_path, fold=FOLD_VERSION - 1)
        assert await forgets(tmp_path, position=10_000)
        assert await forgets(tmp_path, mark="of another row")
        assert await forgets(tmp_path, beginning="of another incarnation")
