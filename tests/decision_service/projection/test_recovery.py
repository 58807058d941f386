"""Projection, recovery and verification against the port alone: a log in SQLite, the state store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import redis.asyncio as redis_asyncio

from decision_service.log.base import NewRow
from decision_service.log.group_commit import GroupCommit
from decision_service.log.sql import SqlLog
from decision_service.projection import writer as writer_module
from decision_service.projection.projector import Projector
from decision_service.projection.recovery import StateRecovery
from decision_service.projection.verification import Verification
from decision_service.projection.writer import LogWriter
from decision_service.state.base import StateUnavailable
from decision_service.state.pending import Withdrawal
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKeys
from policies.records.rows import EventRow, OutcomeRow, PreferencesRow
from policies.shopper.state import ShopperState
from tests.conftest import RealRedis
from tests.decision_service.log.rows import write_body
from tests.decision_service.state.memory import Memory, MemoryStateStore
from tests.factories import NOW

pytestmark = pytest.mark.anyio

KEYS = ShopperKeys(b"salt")


@dataclass
class Projected:
    """A log, a state store in memory, and the parts between them."""

    log: SqlLog
    memory: Memory
    store: MemoryStateStore
    writer: LogWriter
    recovery: StateRecovery

    async def verify(self) -> tuple[str, ...]:
        return (await Verification(self.log, self.store, KEYS).run(patience_s=0.0)).differences

    async def locale(self, shopper_id: str) -> str | None:
        return (await self.store.read(KEYS.key(shopper_id))).state.locale


Open = Callable[[], Projected]


@pytest.fixture
async def open_parts(tmp_path: Path) -> AsyncIterator[Open]:
    """Open replicas of one log and one store."""
    memory, opened = Memory(), []

    def open_one() -> Projected:
        log, store = SqlLog.open(f"sqlite:///{tmp_path}/log.sqlite"), MemoryStateStore(memory)
        projector = Projector(store, log, KEYS)
        writer = LogWriter(log, GroupCommit(log), projector)
        opened.append(Projected(log, memory, store, writer, StateRecovery(store, writer, projector, lambda: NOW)))
        return opened[-1]

    yield open_one
    for parts in opened:
        await parts.writer.close()
        parts.log.close()


async def test_a_store_that_lost_everything_is_brought_up_from_the_log(open_parts: Open) -> None:
    parts = open_parts()
    parts.log.append([NewRow(PreferencesRow(NOW, f"s-{number}", locale="es")) for number in range(1_200)])
    with pytest.raises(StateUnavailable):
        await parts.locale("s-0")
    await parts.recovery.restore()
    assert (await parts.locale("s-0"), await parts.locale("s-1199")) == ("es", "es")
    assert await parts.recovery.is_whole()
    assert parts.log.head().incarnation == parts.writer.incarnation == 1
    assert await parts.verify() == ()


async def test_a_store_that_lost_nothing_only_catches_up(open_parts: Open) -> None:
    one, two = open_parts(), open_parts()
    await one.recovery.restore()
    one.log.append([NewRow(PreferencesRow(NOW, "s-1", locale="es"))])
    await two.recovery.restore()
    assert (two.log.head().incarnation, await two.locale("s-1")) == (1, "es")
    assert two.writer.head == two.log.head().position


async def test_each_row_is_applied_once_whoever_wrote_it(open_parts: Open) -> None:
    one, two = open_parts(), open_parts()
    for parts in (one, two):
        await parts.recovery.restore()
    for number in range(20):
        writer = (one, two)[number % 2].writer
        await writer.append(
            NewRow(
                EventRow(
                    at=NOW + number,
                    shopper_id="s-1",
                    type="purchase",
                    occurred_at=NOW + number,
                    attributes={"value": 10.0},
                )
            )
        )
    for parts in (one, two):
        await parts.writer.wait_until_contained(parts.log.head().position)
        assert await parts.verify() == ()


async def test_rows_wait_to_be_folded_together_unless_somebody_waits_for_them(
    open_parts: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = open_parts()
    await parts.recovery.restore()
    await parts.writer.append(NewRow(PreferencesRow(NOW, "s-1", locale="es")))
    assert parts.writer._forwarding is not None
    await parts.writer._forwarding
    first = parts.log.head().position
    assert await parts.store.position() == first
    monkeypatch.setattr(writer_module, "_FORWARD_AFTER_S", 3_600.0)
    for _ in range(2):
        await parts.writer.append(NewRow(PreferencesRow(NOW, "s-1", locale="de")))
        await asyncio.sleep(0)
    assert await parts.store.position() == first
    await parts.writer.wait_until_contained()
    assert (await parts.store.position(), await parts.locale("s-1")) == (first + 2, "de")
    await parts.writer.append(NewRow(PreferencesRow(NOW, "s-1", locale="fr")))
    await parts.writer.close()
    assert (await parts.store.position(), await parts.locale("s-1")) == (first + 3, "fr")


async def test_a_withdrawal_is_pending_until_its_row_is_applied(open_parts: Open) -> None:
    parts, key = open_parts(), KEYS.key("s-1")
    await parts.recovery.restore()
    head = await parts.writer.find_head()
    await parts.store.withdraw([Withdrawal.of(key, path, head) for path in ("consent.push", "consent.sms")])
    await parts.writer.append(
        NewRow(OutcomeRow(at=NOW, event_id="e", type="opt_out", occurred_at=NOW, shopper_id="s-1", channel="push"))
    )
    await parts.writer.wait_until_contained()
    stored = await parts.store.read(key)
    assert stored.folded.consent == {"push": False}
    assert stored.state.consent == {"push": False, "sms": False}


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_state_that_cannot_be_read_is_made_anew_with_all_others(
    redis: RealRedis, tmp_path: Path, is_running: bool
) -> None:
    log, store = SqlLog.open(f"sqlite:///{tmp_path}/log.sqlite"), RedisStateStore(redis.url, "log")
    projector = Projector(store, log, KEYS)
    writer = LogWriter(log, GroupCommit(log), projector)
    recovery = StateRecovery(store, writer, projector, lambda: NOW)
    await recovery.restore()
    await writer.append(NewRow(PreferencesRow(NOW, "s-1", locale="es")))
    await writer.wait_until_contained()
    async with redis_asyncio.Redis.from_url(redis.url) as client:
        await client.hset(f"ds:log:s:{KEYS.key('s-1')}", "b", b"no state")
    store.distrust()  # the store forgets the states that it knows
    await store.trust(1)
    log.append([NewRow(PreferencesRow(NOW, "s-1", max_per_week=2)), NewRow(PreferencesRow(NOW, "s-2", locale="de"))])
    if is_running:
        await recovery.check()
        await recovery.check()
    else:
        await recovery.restore()
    assert (await store.read(KEYS.key("s-1"))).state == ShopperState(locale="es", max_per_week=2, seen_at=NOW)
    assert (await Verification(log, store, KEYS).run(patience_s=0.0)).differences == ()
    await writer.close()
    await store.close()
    log.close()


async def test_a_writer_closes_although_a_row_of_another_replica_is_damaged(open_parts: Open, tmp_path: Path) -> None:
    parts = open_parts()
    await parts.recovery.restore()
    parts.log.append([NewRow(PreferencesRow(NOW, "s-1", locale="es"))])
    position = parts.log.head().position
    body = write_body(tmp_path / "log.sqlite", position, b"{")
    await parts.writer.append(NewRow(PreferencesRow(NOW, "s-1", locale="de")))
    await parts.writer.close()
    write_body(tmp_path / "log.sqlite", position, body)
    await parts.recovery.restore()
    assert await parts.locale("s-1") == "de"


async def test_a_state_that_the_log_does_not_fold_to_is_named(open_parts: Open) -> None:
    parts, key = open_parts(), KEYS.key("s-1")
    await parts.recovery.restore()
    await parts.writer.append(NewRow(PreferencesRow(NOW, "s-1", locale="es", max_per_week=3)))
    await parts.writer.wait_until_contained()
    stored = parts.memory.states[key]
    parts.memory.states[key] = ShopperState()
    assert await parts.verify() == ("s-1: is not stored",)
    parts.memory.states[key] = msgspec.structs.replace(stored, locale="en")
    parts.memory.states[KEYS.key("nobody")] = stored
    unknown = f"key {KEYS.key('nobody')}: is stored, but the log knows no such shopper"
    assert set(await parts.verify()) == {"s-1: locale differ", unknown}
