"""A store from a snapshot: folded on to what a full rebuild gives, and given up where its log is another one."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from decision_service.commands.erasure import AnonymousRows
from decision_service.log.base import NewRow
from decision_service.log.group_commit import GroupCommit
from decision_service.log.keys import fence_key
from decision_service.log.sql import SqlLog
from decision_service.projection.projector import Projector
from decision_service.projection.recovery import StateRecovery
from decision_service.projection.same_log import find_contradiction
from decision_service.projection.verification import Verification
from decision_service.projection.writer import LogWriter
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.state.contents import ContainedLog
from decision_service.state.pending import Reservation, Withdrawal
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKeys
from policies.records.erasure import anonymous
from policies.records.row_mark import mark_of
from policies.records.rows import SHOPPER_ROWS, ClockRow, ErasureRow, FenceRow, PreferencesRow, Row
from policies.shopper.state import Send
from tests.decision_service.queries.report.logs import EVENTS, HOURS, NAMED, logs
from tests.policies.sends.test_transitions import lives

KEYS = ShopperKeys(b"salt")

Dump = dict[bytes, dict[bytes, bytes]]


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="ds"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(directory / "r.sock", directory / "redis.log", directory / "redis") as embedded:
        yield embedded


@pytest.fixture(scope="module")
def empty_log(directory: Path) -> Path:
    """Return the file of a log without rows: making its tables takes longer than copying them."""
    file = directory / "empty.sqlite"
    SqlLog.open(f"sqlite:///{file}").close()
    return file


class Projected:
    """A log, and a store in Redis that follows the log."""

    def __init__(self, log: SqlLog, url: str) -> None:
        self.log = log
        self.store = RedisStateStore(url, "log")
        self._projector = Projector(self.store, log, KEYS)
        self.writer = LogWriter(log, GroupCommit(log), self._projector)
        self.recovery = StateRecovery(self.store, self.writer, self._projector, lambda: 0.0)

    async def add(self, rows: Sequence[Row]) -> None:
        """Append rows as the service does: an erasure rewrites the earlier rows of the shopper."""
        for row in rows:
            if isinstance(row, ErasureRow):
                shopper_id = row.key.removeprefix("key of ")
                self.log.rewrite(shopper_id, AnonymousRows(KEYS.key(shopper_id), row.at))
            else:
                self.log.append([NewRow(row)])
        await self.writer.wait_until_contained(self.log.head().position)

    async def make_pending(self) -> None:
        """Reserve a send with a cost for each event, and withhold consent: the log may never hear of them."""
        for number, event_id in enumerate(EVENTS):
            key = KEYS.key(NAMED[number % 2])
            version = (await self.store.read(key)).version
            send = Send(event_id, 22 * HOURS, message="hint", channel="push", category="browse", cost=0.5)
            await self.store.reserve_many([Reservation(key, version, f"{event_id}/1", send, catalogue=1)])
        await self.store.withdraw(
            [Withdrawal.of(KEYS.key(name), "consent.email", self.log.head().position) for name in NAMED]
        )

    async def verify(self) -> tuple[str, ...]:
        return (await Verification(self.log, self.store, KEYS).run(patience_s=0.0)).differences

    async def close(self) -> None:
        await self.writer.close()
        await self.store.close()


def dump(client: redis.Redis) -> Dump:
    """Return all that is stored, without the versions and without the past of the store itself."""
    names = [key for key in cast(list[bytes], client.keys("*")) if client.type(key) == b"hash"]
    hashes: dict[bytes, Any] = {name: client.hgetall(name) for name in names}
    for fields in hashes.values():
        for name in (b"v", b"incarnation", b"beginning", b"run_id"):
            fields.pop(name, None)
    meta = hashes[b"ds:log:meta"]
    del meta[b"position"], meta[b"mark"]  # a rebuild writes one more fence
    used = {key: {name: value for name, value in fields.items() if value != b"0"} for key, fields in hashes.items()}
    return {key: fields for key, fields in used.items() if fields}


def kill(server: EmbeddedRedis) -> None:
    process = psutil.Process(server.pid)
    process.kill()
    psutil.wait_procs([process], timeout=10)


async def check_a_start_from_a_snapshot(
    log: SqlLog, server: EmbeddedRedis, contained: Sequence[Row], lost: Sequence[Row], later: Sequence[Row]
) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        before = Projected(log, server.url)
        await before.recovery.restore()
        await before.add(contained)
        await before.make_pending()
        client.save()
        position = log.head().position
        await before.add(lost)
        kill(server)
        await before.add(later)
        await before.close()
    server.revive()
    after = Projected(log, server.url)
    assert (await after.store.contained_log()).position == position
    await after.recovery.restore()
    assert await after.verify() == ()
    with redis.Redis.from_url(server.url) as client:
        from_snapshot = dump(client)
        await after.store.begin(await after.store.stored_incarnation(), anew=True)
        await after.recovery.restore()
        assert from_snapshot == dump(client)
    await after.close()


@settings(max_examples=15)
@given(rows=st.one_of(lives(), logs()), cuts=st.tuples(st.integers(0, 26), st.integers(0, 26)))
def test_a_log_folded_from_any_snapshot_equals_the_full_rebuild(
    server: EmbeddedRedis, empty_log: Path, rows: list[Row], cuts: tuple[int, int]
) -> None:
    first, second = sorted(cuts)
    with tempfile.TemporaryDirectory() as directory:
        file = shutil.copy(empty_log, directory)
        log = SqlLog.open(f"sqlite:///{file}")
        asyncio.run(check_a_start_from_a_snapshot(log, server, rows[:first], rows[first:second], rows[second:]))
        log.close()


# -- another log --------------------------------------------------------------------------------------------------


def clock_rows(*times: float) -> list[NewRow]:
    return [NewRow(ClockRow(at)) for at in times]


def contained_log(log: SqlLog, beginning: str | None = "b") -> ContainedLog:
    """Return what a store says that contains the whole log."""
    head = log.head().position
    (last,) = log.read(head - 1, 1)
    return ContainedLog(head, mark_of(last.row), beginning)


@pytest.fixture
def backup(tmp_path: Path, empty_log: Path) -> Path:
    """Return a log in its first incarnation, to be restored as often as a test likes."""
    file = Path(shutil.copy(empty_log, tmp_path / "backup.sqlite"))
    log = SqlLog.open(f"sqlite:///{file}")
    log.append([*clock_rows(1.0), NewRow(FenceRow(1.0), fence_key("b")), *clock_rows(2.0)])
    log.close()
    return file


@pytest.fixture
def restore(backup: Path) -> Iterator[Any]:
    opened: list[SqlLog] = []

    def open_copy(*rows: NewRow) -> SqlLog:
        copy = shutil.copy(backup, backup.with_name(f"{len(opened)}.sqlite"))
        opened.append(SqlLog.open(f"sqlite:///{copy}"))
        opened[-1].append(rows)
        return opened[-1]

    yield open_copy
    for log in opened:
        log.close()


def test_a_log_that_only_grew_contradicts_nothing(restore: Any) -> None:
    log = restore()
    contained = contained_log(log)
    log.append(clock_rows(3.0, 4.0))
    assert find_contradiction(contained, log) is None
    assert find_contradiction(ContainedLog(), log) is None
    assert find_contradiction(ContainedLog(2), log) is None  # of a version that wrote no mark


def test_a_restored_log_contradicts_what_contains_more(restore: Any) -> None:
    contained = contained_log(restore(*clock_rows(3.0)))
    assert find_contradiction(contained, restore()) == "a row at position 4, beyond the end of the log"


def test_a_restored_log_that_grew_again_has_another_row_there(restore: Any) -> None:
    contained = contained_log(restore(*clock_rows(3.0)))
    assert find_contradiction(contained, restore(*clock_rows(3.5, 4.0))) == "another row at position 4"


def test_equal_rows_after_another_fence_are_rows_of_another_log(restore: Any) -> None:
    """With the request clock two runs may write equal rows after different ones; their fences differ."""
    fences = [NewRow(FenceRow(2.0), fence_key(begun)) for begun in ("one", "other")]
    one = restore(fences[0], NewRow(PreferencesRow(3.0, "s-1")), *clock_rows(4.0))
    other = restore(fences[1], NewRow(PreferencesRow(3.0, "s-2")), *clock_rows(4.0))
    assert find_contradiction(contained_log(one, "one"), one) is None
    assert find_contradiction(contained_log(one, "one"), other) == "an incarnation that the log never had"


@given(st.one_of(lives(), logs()))
def test_an_erasure_keeps_the_mark(rows: list[Row]) -> None:
    for row in rows:
        if isinstance(row, SHOPPER_ROWS) and not isinstance(row, ErasureRow):
            assert mark_of(anonymous(row, "erased:1")) == mark_of(row)
