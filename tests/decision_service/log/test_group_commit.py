"""The laws of group commit, over a log that waits for the test; none of them looks at a clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from decision_service.log.base import Appended, AppendResult, EventLog, LogBusy, LogUnavailable, NewRow
from decision_service.log.group_commit import GroupCommit
from policies.records.rows import EventRow


class GatedLog:
    """A log whose appends wait at a gate and can be told to fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failing: set[str] = set()
        self.threads: set[str] = set()
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def append(self, rows: Sequence[NewRow]) -> list[AppendResult]:
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        self.gate.acquire()
        names = [new.row.type for new in rows if isinstance(new.row, EventRow)]
        if self.failing.intersection(names):
            raise LogUnavailable("the disk is full")
        self.batches.append(names)
        start = sum(map(len, self.batches)) - len(names)
        return [Appended(start + index, 0.0) for index in range(1, len(names) + 1)]

    def open_gate(self) -> None:
        self.gate.release(1_000)


def new_row(name: str) -> NewRow:
    return NewRow(EventRow(at=0.0, shopper_id="s", type=name, occurred_at=0.0))


def front(log: GatedLog, *, most_per_flush: int = 512, most_waiting: int = 20_000) -> GroupCommit:
    port: EventLog = log  # type: ignore[assignment]  # the front only ever appends
    return GroupCommit(port, most_per_flush=most_per_flush, most_waiting=most_waiting)


async def start(commits: GroupCommit, *names: str) -> asyncio.Task[list[AppendResult]]:
    """Begin an append and return once it stands in the queue."""
    task = asyncio.create_task(commits.append([new_row(name) for name in names]))
    await asyncio.sleep(0)
    return task


async def start_flush(commits: GroupCommit, log: GatedLog, *names: str) -> asyncio.Task[list[AppendResult]]:
    """Begin an append and return once its flush stands at the gate."""
    task = await start(commits, *names)
    await asyncio.to_thread(log.entered.acquire)
    return task


def test_what_arrives_during_a_flush_goes_together_into_the_next() -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log)
        tasks = [await start_flush(commits, log, "a"), await start(commits, "b"), await start(commits, "c", "d")]
        log.open_gate()
        results = await asyncio.gather(*tasks)
        assert [[result.position for result in of_caller if isinstance(result, Appended)] for of_caller in results] == [
            [1],
            [2],
            [3, 4],
        ]
        await commits.close()

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == [["a"], ["b", "c", "d"]]
    assert len(log.threads) == 1


def test_a_flush_is_bounded_but_never_parts_the_rows_of_one_caller() -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log, most_per_flush=3)
        tasks = [await start_flush(commits, log, "a")]
        for names in ("bc", "de", "fghij", "k"):
            tasks.append(await start(commits, *names))
        log.open_gate()
        await asyncio.gather(*tasks)
        await commits.close()

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == [["a"], ["b", "c"], ["d", "e"], ["f", "g", "h", "i", "j"], ["k"]]


def test_a_full_queue_refuses_at_once_and_takes_again_when_it_has_drained() -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log, most_waiting=2)
        tasks = [await start_flush(commits, log, "a"), await start(commits, "b", "c")]
        with pytest.raises(LogBusy, match="2 rows are waiting"):
            await commits.append([new_row("refused")])
        log.open_gate()
        await asyncio.gather(*tasks)
        await commits.append([new_row("d"), new_row("e")])
        await commits.close()

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == [["a"], ["b", "c"], ["d", "e"]]


def test_a_failed_flush_fails_exactly_those_who_waited_for_it() -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log)
        log.failing = {"b"}
        first = await start_flush(commits, log, "a")
        failing = [await start(commits, "b"), await start(commits, "c")]
        log.gate.release()
        await asyncio.to_thread(log.entered.acquire)  # the second flush is on its way
        after = await start(commits, "d")
        log.open_gate()
        outcomes = await asyncio.gather(first, *failing, after, return_exceptions=True)
        assert [isinstance(outcome, LogUnavailable) for outcome in outcomes] == [False, True, True, False]
        await commits.close()

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == [["a"], ["d"]]


@pytest.mark.parametrize("cancelled", [0, 1, 2])
def test_a_cancelled_waiter_neither_loses_nor_repeats_rows_nor_harms_others(cancelled: int) -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log)
        tasks = [await start_flush(commits, log, "a"), await start(commits, "b"), await start(commits, "c")]
        tasks[cancelled].cancel()
        log.open_gate()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [
            number == cancelled for number in range(3)
        ]
        await commits.close()

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == [["a"], ["b", "c"]]


def test_close_writes_what_waits_and_refuses_what_comes_after() -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log)
        tasks = [await start_flush(commits, log, "a"), await start(commits, "b")]
        closing = asyncio.create_task(commits.close())
        await asyncio.sleep(0)
        with pytest.raises(LogUnavailable, match="closed"):
            await commits.append([new_row("late")])
        log.open_gate()
        await closing
        assert all(task.done() for task in tasks)
        with pytest.raises(LogUnavailable, match="closed"):
            await commits.append([new_row("later")])

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == [["a"], ["b"]]


def test_a_close_that_is_cancelled_leaves_the_rows_on_their_way() -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log)
        tasks = [await start_flush(commits, log, "a"), await start(commits, "b")]
        closing = asyncio.create_task(commits.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        log.open_gate()
        assert [len(results) for results in await asyncio.gather(*tasks)] == [1, 1]
        await commits.close()

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == [["a"], ["b"]]


def test_nothing_to_append_asks_nothing_of_the_log() -> None:
    async def scenario(log: GatedLog) -> None:
        commits = front(log)
        assert await commits.append([]) == []
        await commits.close()

    log = GatedLog()
    asyncio.run(scenario(log))
    assert log.batches == []
