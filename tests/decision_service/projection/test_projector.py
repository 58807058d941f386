"""The projector: which rows settle what was pending, and two projectors that race on one Redis."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count, cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decision_service.commands.erasure import AnonymousRows
from decision_service.log.base import NewRow, StoredRow
from decision_service.log.sql import SqlLog
from decision_service.projection.projector import Projector
from decision_service.projection.verification import Verification
from decision_service.state.pending import Reservation, Withdrawal
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKeys
from policies.records.rows import ErasureRow, EventRow, OutcomeRow, PreferencesRow, Row, ShopperRow
from policies.shopper.state import Send
from tests.conftest import RealRedis
from tests.decision_service.log.rows import decision
from tests.decision_service.queries.report.logs import NAMED, logs
from tests.decision_service.state.memory import Memory, MemoryStateStore
from tests.decision_service.state.stores import begin, make_ready, reservation
from tests.policies.sends.test_transitions import lives

KEYS = ShopperKeys(b"salt")
attempts = count()


@pytest.fixture(scope="module")
def empty_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a log without rows: making its tables takes longer than copying them."""
    file = tmp_path_factory.mktemp("log") / "empty.sqlite"
    SqlLog.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def log(empty_log: Path, tmp_path: Path) -> Iterator[SqlLog]:
    log = SqlLog.open(f"sqlite:///{shutil.copy(empty_log, tmp_path)}")
    yield log
    log.close()


# -- what is pending ----------------------------------------------------------------------------------------------


def outcome(kind: str, channel: str) -> OutcomeRow:
    return OutcomeRow(at=1.0, event_id="e-1", type=kind, occurred_at=1.0, shopper_id="s", channel=channel)


RESERVATION = reservation(0, "e-1", shopper=KEYS.key("s"))
WITHDRAWAL = Withdrawal(KEYS.key("s"), "consent.push", "0/1")
NEWER = Withdrawal(KEYS.key("s"), "consent.push", "1/2")
"""A withdrawal that was made when the log had the row already: another row will say it."""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("row", "settled"),
    [
        (decision(1.0, "e-1", "s"), RESERVATION),
        (decision(1.0, "e-1/1", "s"), None),
        (outcome("opt_out", "push"), WITHDRAWAL),
        (outcome("complaint", "push"), WITHDRAWAL),
        (outcome("opt_out", "sms"), None),
        (outcome("click", "push"), None),
        (PreferencesRow(1.0, "s", {"push": False}), WITHDRAWAL),
        (PreferencesRow(1.0, "s", {"push": True, "sms": False}), None),
        (ErasureRow(1.0, "erased:1", KEYS.key("s")), WITHDRAWAL),
        (EventRow(at=1.0, shopper_id="s", type="product_view", occurred_at=1.0), None),
    ],
)
async def test_a_row_settles_what_it_says(
    log: SqlLog, row: ShopperRow, settled: Reservation | Withdrawal | None
) -> None:
    memory = Memory()
    store = await make_ready(MemoryStateStore(memory))
    await store.reserve_many([RESERVATION])
    await store.withdraw([WITHDRAWAL, NEWER])
    log.append([NewRow(row)])
    await Projector(store, log, KEYS).advance(1)
    assert [pending for pending, _ in memory.pending.values()] == [
        pending for pending in (RESERVATION, WITHDRAWAL, NEWER) if pending != settled
    ]


# -- two projectors -----------------------------------------------------------------------------------------------


class Replica:
    """A projector with a store of its own, as each replica of a service has."""

    def __init__(self, redis: RealRedis, log: SqlLog, namespace: str) -> None:
        self.log = log
        self.store = RedisStateStore(redis.url, namespace)
        self.projector = Projector(self.store, log, KEYS)

    async def decide(self, number: int) -> None:
        """Read all shoppers as a batch of decisions does, and reserve a send that the log may never hear of."""
        shoppers = [KEYS.key(name) for name in NAMED]
        states = await self.store.read_many(shoppers)
        send = Send(f"lost-{number}", 0.0, message="hint", channel="push", category="browse", cost=0.5)
        at, attempt = number % len(shoppers), f"{send.event_id}/{next(attempts)}"
        await self.store.reserve_many([Reservation(shoppers[at], states[at].version, attempt, send, catalogue=1)])

    async def distrust(self, number: int) -> None:
        """Lose the trust in the store for a moment, as after a time-out."""
        self.store.distrust()
        await self.store.trust(1)

    async def begin_anew(self, number: int) -> None:
        await self.store.complete(await begin(self.store, anew=number % 2 == 0), 1)
        self.projector.forget()

    async def advance(self, number: int) -> None:
        await self.projector.advance(self.log.head().position)


def append(log: SqlLog, row: Row) -> StoredRow:
    """Append a row as the service does: an erasure rewrites the earlier rows of the shopper."""
    if isinstance(row, ErasureRow):
        shopper_id = row.key.removeprefix("key of ")
        return log.rewrite(shopper_id, AnonymousRows(KEYS.key(shopper_id), row.at))
    log.append([NewRow(row)])
    (stored,) = log.read(log.head().position - 1, 1)
    return stored


calls = st.sampled_from([Replica.decide, Replica.decide, Replica.advance, Replica.advance, Replica.advance])
rare_calls = st.sampled_from([Replica.distrust, Replica.begin_anew])
Call = Callable[[Replica, int], Awaitable[None]]
Step = tuple[bool, list[Call], list[Call], Call | None]
"""Whether the row is offered to a projector, what each replica does at once, and something rare."""

steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.booleans(), *[st.lists(calls, max_size=3)] * 2, st.none() | rare_calls), min_size=1
)
namespaces = count()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.one_of(lives(), logs()), steps=steps)
def test_projectors_that_race_write_what_the_log_folds_to(
    redis: RealRedis, empty_log: Path, tmp_path: Path, rows: list[Row], steps: Sequence[Step]
) -> None:
    """Each store knows states that it read or wrote: whatever the other one does, it never applies rows to old ones."""
    name = f"race-{next(namespaces)}"
    log = SqlLog.open(f"sqlite:///{shutil.copy(empty_log, tmp_path / name)}")

    async def race() -> None:
        replicas = [Replica(redis, log, name) for _ in range(2)]
        for replica in replicas:
            await make_ready(replica.store)
        for row, (offered, one, other, rare) in zip(rows, cycle(steps), strict=False):
            stored = append(log, row)
            if offered:
                replicas[stored.position % 2].projector.offer(stored.position, stored.row)
            at_once = [(replicas[0], call) for call in one] + [(replicas[1], call) for call in other]
            await asyncio.gather(*(call(replica, number) for number, (replica, call) in enumerate(at_once)))
            if rare is not None:
                await rare(replicas[stored.position % 2], stored.position)
        for replica in replicas:
            await replica.advance(0)
        assert (await Verification(log, replicas[0].store, KEYS).run(patience_s=0.0)).differences == ()
        for replica in replicas:
            await replica.store.close()

    asyncio.run(race())
    log.close()
