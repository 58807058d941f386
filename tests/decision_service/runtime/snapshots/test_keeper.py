"""When a snapshot of a real Redis is made, and that neither a full disk nor a failure stops Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_client

from decision_service.runtime.snapshots.keeper import SnapshotKeeper
from decision_service.runtime.snapshots.redis_command import CommandRefused, send_command
from decision_service.runtime.snapshots.schedule import MANY_CHANGES, RedisStatus, is_due
from decision_service.runtime.snapshots.snapshot_file import NAME, SnapshotFile
from tests.conftest import RealRedis


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(redis: RealRedis) -> SnapshotFile:
    return SnapshotFile(redis.socket.parent)


@pytest.fixture
def client(redis: RealRedis) -> Iterator[redis_client.Redis]:
    with redis_client.Redis.from_url(redis.url) as opened:
        opened.config_set("dbfilename", NAME)
        opened.config_set("stop-writes-on-bgsave-error", "no")
        yield opened


@pytest.fixture
def keeper(redis: RealRedis, file: SnapshotFile, clock: Clock) -> SnapshotKeeper:
    return SnapshotKeeper(file, lambda command: send_command(redis.socket, command), clock)


def wait_for_end(client: redis_client.Redis) -> None:
    while client.info("persistence")["rdb_bgsave_in_progress"]:
        time.sleep(0.01)


def test_a_change_is_saved_when_its_time_has_come_and_nothing_is_saved_without_one(
    keeper: SnapshotKeeper, client: redis_client.Redis, file: SnapshotFile, clock: Clock
) -> None:
    clock.now = 1_000.0
    keeper.make_when_due()
    assert not keeper.needs_last()
    client.set("key", "value")
    clock.now = 1_006.0
    keeper.make_when_due()  # nothing was saved yet, and for long
    wait_for_end(client)
    first = file.path.stat().st_ino
    client.set("key", "other")
    assert keeper.needs_last()
    for clock.now in (1_200.0, 1_305.0):
        keeper.make_when_due()
    assert file.path.stat().st_ino == first
    clock.now = 1_311.0
    keeper.make_when_due()
    wait_for_end(client)
    assert file.path.stat().st_ino != first


def test_no_snapshot_takes_the_room_that_the_log_needs(
    keeper: SnapshotKeeper,
    client: redis_client.Redis,
    file: SnapshotFile,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(SnapshotFile, "free_room", lambda self: 2**20)
    client.set("key", "value")
    clock.now = 1_000.0
    with caplog.at_level(logging.WARNING):
        keeper.make_when_due()
        assert not keeper.needs_last()
    assert "no snapshot of the states was made (the disk has 1 MiB left, and " in caplog.text
    wait_for_end(client)
    assert not file.path.exists()


def test_a_snapshot_that_fails_is_reported_once_and_stops_no_write(
    keeper: SnapshotKeeper, client: redis_client.Redis, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    client.config_set("dir", "/proc/self")
    client.set("key", "value")
    with caplog.at_level(logging.WARNING):
        for clock.now in (1_000.0, 1_006.0, 1_012.0):
            keeper.make_when_due()
            wait_for_end(client)
    assert caplog.text.count("no snapshot of the states was made (see logs/redis.log)") == 1
    assert client.set("key", "other")


def test_a_redis_that_is_away_is_asked_again_later(redis: RealRedis, keeper: SnapshotKeeper, clock: Clock) -> None:
    redis.kill()
    clock.now = 1_000.0
    keeper.make_when_due()
    assert not keeper.needs_last()


def test_many_changes_are_saved_sooner_but_not_all_the_time() -> None:
    def status(changes: int, *, took_s: float = 0.0, failed: bool = False) -> RedisStatus:
        return RedisStatus(changes, is_saving=False, has_failed=failed, took_s=took_s, memory=0)

    assert is_due(status(MANY_CHANGES), 30.0)
    assert not is_due(status(MANY_CHANGES), 29.0)
    assert not is_due(status(MANY_CHANGES, took_s=10.0), 199.0)
    assert is_due(status(MANY_CHANGES, took_s=10.0), 200.0)
    assert not is_due(status(MANY_CHANGES, failed=True), 299.0)  # a failure repeats itself
    assert not is_due(status(MANY_CHANGES - 1), 299.0)
    assert is_due(status(1), 300.0)
    assert not is_due(status(0), 1e9)


def test_what_is_left_unfinished_goes_and_what_is_set_aside_comes_back(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "redis")
    file.prepare()
    assert not file.set_aside()
    file.path.write_text("snapshot")
    (file.directory / "temp-7.rdb").write_text("unfinished")
    file.prepare()
    assert file.set_aside()
    assert not file.path.exists()
    file.put_back()
    assert [left.name for left in file.directory.iterdir()] == [NAME]
    assert file.delete()
    assert not file.delete()


def test_an_answer_is_read_whole_and_an_error_is_raised(redis: RealRedis) -> None:
    assert send_command(redis.socket, "PING") == "PONG"
    assert RedisStatus.parse(send_command(redis.socket, "INFO")).memory > 0
    with pytest.raises(CommandRefused, match="unknown command"):
        send_command(redis.socket, "NONSENSE")
