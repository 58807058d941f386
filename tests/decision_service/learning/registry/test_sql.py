"""The laws of the registry: one checkpoint, moved by compare-and-swap, and the versions published with it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import sqlalchemy

from decision_service.learning.registry.base import Checkpoint, CheckpointConflict, RegistryUnavailable
from decision_service.learning.registry.sql import DAYS_KEPT, LATEST_KEPT, SqlRegistry

DAY_S = 86_400.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/models.sqlite"


def publish(registry: SqlRegistry, expected: int | None, position: int, *, at: float | None = None) -> int:
    checkpoint = Checkpoint(position, f"state {position}".encode())
    metadata = {"at": float(position) if at is None else at, "learned": position}
    return registry.save(expected, checkpoint, model=f"model {position}".encode(), metadata=metadata)


def test_a_new_registry_has_nothing(url: str) -> None:
    registry = SqlRegistry.open(url)
    assert (registry.checkpoint(), registry.latest(), registry.history(10)) == (None, 0, [])
    with pytest.raises(KeyError, match="no model version 1"):
        registry.load(1)


def test_versions_count_up_and_come_back_after_a_restart(url: str) -> None:
    registry = SqlRegistry.open(url)
    assert [publish(registry, None, 3), publish(registry, 3, 8)] == [1, 2]
    registry.close()
    again = SqlRegistry.open(url)
    assert again.checkpoint() == Checkpoint(8, b"state 8")
    assert again.load(1).payload == b"model 3"
    assert again.load(2).metadata == {"at": 8.0, "learned": 8}
    assert [version.number for version in again.history(5)] == [2, 1]


def test_a_checkpoint_without_a_version_publishes_nothing(url: str) -> None:
    registry = SqlRegistry.open(url)
    publish(registry, None, 3)
    assert registry.save(3, Checkpoint(9, b"later"), model=None, metadata={}) == 1
    assert (registry.checkpoint(), registry.latest()) == (Checkpoint(9, b"later"), 1)


@pytest.mark.parametrize("expected", [None, 2, 4])
def test_who_expects_another_checkpoint_changes_nothing(url: str, expected: int | None) -> None:
    registry = SqlRegistry.open(url)
    publish(registry, None, 3)
    with pytest.raises(CheckpointConflict, match="is at 3"):
        publish(registry, expected, 5)
    assert (registry.checkpoint(), registry.latest()) == (Checkpoint(3, b"state 3"), 1)


def test_who_expects_other_bytes_at_the_position_changes_nothing(url: str) -> None:
    registry = SqlRegistry.open(url)
    publish(registry, None, 3)
    with pytest.raises(CheckpointConflict, match="other bytes"):
        registry.save(Checkpoint(3, b"mine"), Checkpoint(4, b""), model=None, metadata={})


def test_a_version_without_a_time_is_refused(url: str) -> None:
    registry = SqlRegistry.open(url)
    with pytest.raises(ValueError, match=r"metadata\.at"):
        registry.save(None, Checkpoint(1, b""), model=b"", metadata={"at": float("nan")})
    assert registry.checkpoint() is None


def test_the_first_version_that_contains_a_position(url: str) -> None:
    registry = SqlRegistry.open(url)
    for before, position in ((None, 3), (3, 8), (8, 20)):
        publish(registry, before, position)
    assert [registry.first_containing(position) for position in (1, 3, 4, 20, 21)] == [1, 1, 2, 3, None]


def test_old_versions_lose_their_bytes_but_the_last_of_each_day_stays_for_90_days(url: str) -> None:
    registry, before = SqlRegistry.open(url), None
    days, per_day = DAYS_KEPT + 5, 3
    for number in range(days * per_day):
        publish(registry, before, number + 1, at=(number // per_day) * DAY_S + number % per_day)
        before = number + 1
    history = registry.history(10_000)
    assert len(history) == days * per_day
    kept = {version.number for version in history if version.has_payload}
    latest = set(range(days * per_day - LATEST_KEPT + 1, days * per_day + 1))
    last_of_days = {number for number in range(1, days * per_day + 1) if number % per_day == 0}
    recent = {number for number in last_of_days if (number - 1) // per_day >= days - DAYS_KEPT}
    assert kept == latest | recent
    assert registry.load(1).payload is None
    assert not registry.load(1).has_payload


def _race(url: str, name: str, taken: multiprocessing.SimpleQueue[tuple[str, int]]) -> None:
    registry = SqlRegistry.open(url)
    for position in range(1, 21):
        try:
            registry.save(position - 1 or None, Checkpoint(position, name.encode()), model=None, metadata={})
            taken.put((name, position))
        except CheckpointConflict:
            continue


def test_of_two_processes_one_moves_each_checkpoint(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    taken: multiprocessing.SimpleQueue[tuple[str, int]] = context.SimpleQueue()
    racers = [context.Process(target=_race, args=(url, name, taken)) for name in ("a", "b")]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    moved = []
    while not taken.empty():
        moved.append(taken.get()[1])
    checkpoint = SqlRegistry.open(url).checkpoint()
    assert checkpoint is not None
    assert sorted(moved) == list(range(1, checkpoint.position + 1))


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    SqlRegistry.open(url).close()
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE registry_schema SET version_num = 'registry_9999'")
    engine.dispose()
    with pytest.raises(RegistryUnavailable, match="written by a newer one"):
        SqlRegistry.open(url)


def test_a_damaged_database_is_reported_as_such(url: str, tmp_path: Path) -> None:
    (tmp_path / "models.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(RegistryUnavailable):
        SqlRegistry.open(url)
