"""The learner: one fold of the log, whoever is interrupted, published as the clock asks."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from decision_service.commands.erasure import AnonymousRows
from decision_service.learning import learner as learner_module
from decision_service.learning.learner import Learner
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.log.base import LogCorrupt, LogUnavailable, NewRow, StoredRow
from decision_service.log.reading import read_batches
from decision_service.log.sql import SqlLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.state.shopper_keys import ShopperKeys
from policies.learning import fold as fold_module
from policies.learning.fold import Learning
from policies.models import vw_learner
from policies.models.learned import LEARNING
from policies.models.registry import POLICIES
from policies.models.rule import rule_policy
from policies.records.rows import ClockRow, PreferencesRow, Row, decode
from tests.decision_service.conftest import Replica, Start
from tests.decision_service.evaluation.small_log import SmallLog
from tests.decision_service.log.rows import write_body
from tests.factories import DAY_S, NOW, small_document

pytestmark = pytest.mark.anyio

START = datetime(2026, 11, 21, 9, tzinfo=UTC)


def iso(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


async def live(service: Replica, days: int) -> None:
    """Let shoppers decide, click and opt out, a day at a time."""
    for day in range(days):
        for number in range(12):
            event_id, hour = f"e-{day}-{number}", 24 * day + number / 4
            answer = await service.decide(
                event_id=event_id, shopper_id=f"s-{number}", now=iso(hour), context={"segment": f"g{number % 3}"}
            )
            if answer["decision"] == "send" and number % 3:
                kind = "click" if number % 5 else "opt_out"
                outcome = {"event_id": event_id, "type": kind, "at": answer["send_at"], "now": iso(hour + 0.1)}
                await service.post("/v1/feedback", outcome)
        await service.post("/v1/clock", {"now": iso(24 * day + 23)})


def fold_at_once(log: SqlLog) -> Learning:
    """Fold the whole log in one go: what every learner must come to."""

    def rows_of(event_ids: object) -> dict[str, list[tuple[int, Row]]]:
        rows: dict[str, list[tuple[int, Row]]] = {}
        for row in log.find_by_event(list(event_ids)):  # type: ignore[call-overload]
            rows.setdefault(row.event_id or "", []).append((row.position, decode(row.body)))
        return rows

    learning = Learning(rows_of, LEARNING.make_learner)
    for row in log.read(0, 1_000_000):
        learning.fold(row.position, decode(row.body))
    return learning


Open = Callable[[], Learner]


@pytest.fixture
def again(tmp_path: Path) -> Open:
    """Open another learner on the same data, as after a crash: nothing of the first one's memory is left."""

    def open_again() -> Learner:
        return reopen(tmp_path)

    return open_again


def save(tmp_path: Path) -> bytes:
    checkpoint = SqlRegistry.open(f"sqlite:///{tmp_path}/models.sqlite").checkpoint()
    assert checkpoint is not None
    return checkpoint.payload


async def test_a_crashed_learner_goes_on_to_the_bytes_of_an_uninterrupted_fold(
    replica: Start, tmp_path: Path, again: Open
) -> None:
    async with replica(small_document()) as service:
        await live(service, 6)
        head = service.rows()
        whole = fold_at_once(SqlLog.open(f"sqlite:///{tmp_path}/decisions.sqlite"))
        assert service.learner.progress.version >= 5
        assert service.learner.progress.learned == whole.learned > 30
        # Published daily, with what is folded after the last checkpoint folded again by another learner.
        await service.post("/v1/feedback", {"event_id": "e-0-1", "type": "conversion", "value": 5, "now": iso(150)})
        another = again()
        assert another.progress.position <= head
        another.catch_up(head + 1)
        whole = fold_at_once(SqlLog.open(f"sqlite:///{tmp_path}/decisions.sqlite"))
        assert save(tmp_path) == whole.to_bytes()
        # The first learner lost the race: it starts again from the other's work, to the same bytes.
        await service.post("/v1/feedback", {"event_id": "e-0-2", "type": "click", "now": iso(151)})
        await service.post("/v1/clock", {"now": iso(200)})
        await service.post("/v1/clock", {"now": iso(201)})
        whole = fold_at_once(SqlLog.open(f"sqlite:///{tmp_path}/decisions.sqlite"))
        assert save(tmp_path) == whole.to_bytes()
        assert service.learner.progress.learned == whole.learned


LEARNING_POLICIES = [name for name, factory in POLICIES.items() if factory.learns]


@pytest.mark.parametrize("policy", LEARNING_POLICIES)
async def test_the_clock_publishes_what_was_learned_and_nothing_new_changes_no_version(
    replica: Start, policy: str
) -> None:
    async with replica(small_document(), policy=policy) as service:
        assert (await service.post("/v1/clock", {"now": iso(0)})).json() == {"now": iso(0), "version": 0}
        await live(service, 1)
        answer = (await service.post("/v1/clock", {"now": iso(80)})).json()
        assert answer["version"] >= 1
        again = (await service.post("/v1/clock", {"now": iso(90)})).json()
        assert again["version"] == answer["version"]
        decided = await service.decide(event_id="later", now=iso(90), shopper_id="new")
        assert decided["policy"] == {"name": policy, "version": answer["version"], "mode": "online"}


async def test_a_policy_goes_on_after_a_restart_and_another_policy_begins_again(
    replica: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The policies with the Bayesian learner go on from each other's work; `default` has another learner."""
    document = small_document()
    async with replica(document, policy="bayes") as service:
        await live(service, 2)
        learned, published = service.learner.progress.learned, service.learner.progress.version
        before = save(tmp_path)
    assert learned > 5
    async with replica(document, policy="bayes-greedy") as service:
        await service.wait_until_ready()
        assert service.learner.progress.learned == learned
        assert service.learner._learning.to_bytes() == before
        await service.service.versions.refresh()
        decided = await service.decide(event_id="greedy", now=iso(60), shopper_id="new")
        assert decided["policy"] == {"name": "bayes-greedy", "version": published, "mode": "online"}
    assert "begins again" not in caplog.text
    async with replica(document, policy="default") as service:
        await service.wait_until_ready()
        assert "it is of the learner 'bayes', and this is the learner 'two_heads')" in caplog.text
        await service.service.versions.refresh()
        assert "the model is of the kind 'bayes', here it is 'two_heads'" in caplog.text
        decided = await service.decide(event_id="before", now=iso(60), shopper_id="newer")
        assert decided["policy"] == {"name": "rule", "version": 0, "mode": "fallback"}
        version = (await service.post("/v1/clock", {"now": iso(61)})).json()["version"]
        decided = await service.decide(event_id="after", now=iso(61), shopper_id="newest")
        assert decided["policy"] == {"name": "default", "version": version, "mode": "online"}
        assert version > published
        assert service.learner.progress.learned >= learned


async def test_a_model_that_may_not_be_served_is_not_published_and_learning_goes_on(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document()) as service:
        with monkeypatch.context() as broken:
            broken.setattr(vw_learner, "collisions", lambda *_: 3)
            await live(service, 1)
            answer = await service.post("/v1/clock", {"now": iso(80)})
            assert (answer.status_code, answer.json()["version"]) == (200, 0)
            assert service.learner.progress.learned > 0
        assert (await service.post("/v1/clock", {"now": iso(81)})).json()["version"] == 1


async def test_under_the_wall_clock_windows_close_and_versions_come_by_themselves(replica: Start) -> None:
    document = small_document(delays_s=[0])
    for channel in document["channels"].values():
        channel["attribution_window_s"] = 1
    async with replica(document, clock="wall") as service:
        service.learner.start()
        await service.decide(now=None)
        await service.post("/v1/feedback", {"event_id": "e-1", "type": "click"})
        deadline = time.monotonic() + 60
        while (await service.decide(event_id=f"d-{time.monotonic()}", now=None))["policy"]["version"] == 0:
            assert time.monotonic() < deadline, "no version was ever published"
            await service.service.versions.refresh()
        while not any(row.kind == ClockRow.kind for row in service.service.log.read(0, 100_000)):
            assert time.monotonic() < deadline, "time never passed by itself"
            time.sleep(0.1)


class Breaking(SqlLog):
    """A log that cannot be read at one of its look-ups of events."""

    def __init__(self, log: SqlLog, breaks_at: int) -> None:
        super().__init__(log._engine)
        self.looks_left = breaks_at

    def find_by_event(self, event_ids: Sequence[str], kinds: Collection[str] | None = None) -> list[StoredRow]:
        self.looks_left -= 1
        if self.looks_left == 0:
            raise LogUnavailable("disk I/O error")
        return super().find_by_event(event_ids, kinds)


def busy_log(directory: Path) -> SmallLog:
    """Write a log in which rows close windows, correct what was learned, and do both at once."""
    small = SmallLog(directory)
    rows = [small.decide(number) for number in range(12)]
    sent = [row for row in rows if row.is_delivered]
    for row in sent[::2]:
        small.outcome(row)
    small.clock(NOW + 3 * DAY_S)
    for row in sent[1::2]:
        small.outcome(row, "conversion", after=4 * DAY_S, value=9.0)
        small.decide(100 + int(row.event_id[2:]))
    for row in sent[:3]:
        small.outcome(row, "opt_out", after=6 * DAY_S)
    small.clock()
    return small


def test_a_fold_that_cannot_read_on_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever look-up breaks off, and whoever has the learner saved meanwhile: the bytes of an uninterrupted fold."""
    monkeypatch.setattr(learner_module, "read_batches", partial(read_batches, batch=2))
    small = busy_log(tmp_path)
    head, whole = small.log.head().position, fold_at_once(small.log)
    for look in itertools.count(1):
        log = Breaking(SqlLog.open(f"sqlite:///{tmp_path}/decisions.sqlite"), look)
        registry = SqlRegistry.open(f"sqlite:///{tmp_path}/models-{look}.sqlite")
        learner = Learner(log, registry, None, ErasedShoppers.stored(log))
        with suppress(LogUnavailable):
            learner.catch_up(head)
        learner.catch_up(0)
        learner.catch_up(head)
        assert learner.progress.learned == whole.learned > 5
        checkpoint = registry.checkpoint()
        assert checkpoint is not None
        assert checkpoint.payload == whole.to_bytes(), f"look-up {look}"
        learner.stop()
        if log.looks_left > 0:
            break
    assert look > 8


def unsubscribing(small: SmallLog) -> None:
    """Write what a shopper does who unsubscribes, in two ways, from sends that lie ahead and sends that have left."""
    rows = [
        small.decide(
            number,
            rule_policy(epsilon=0.0),
            shopper_id="s-1",
            send_at=NOW + number + delay_s,
            window_ends_at=NOW + number + delay_s + 4_000.0,
        )
        for number, delay_s in enumerate([0.0, 9.0, 600.0])
    ]
    small.outcome(rows[0], "click")
    small.append(PreferencesRow(NOW + 20, "s-1", {str(rows[0].channel): False}))
    small.decide(4, rule_policy(epsilon=0.0), shopper_id="s-1", send_at=NOW + 700, window_ends_at=NOW + 4_700)
    small.outcome(rows[1], "opt_out", after=40.0)


@pytest.mark.parametrize("cut", range(9))
def test_a_learner_behind_an_erasure_learns_what_one_ahead_of_it_does(tmp_path: Path, cut: int) -> None:
    """Wherever it was when the rows were rewritten, and whether it goes on from there or starts again."""
    shopper_keys, small = ShopperKeys(b"salt"), SmallLog(tmp_path)
    unsubscribing(small)
    entries, registry = small._waiting, SqlRegistry.open(f"sqlite:///{tmp_path}/models.sqlite")
    small.log.append(entries[:cut])
    there = Learner(small.log, registry, None, ErasedShoppers(small.log, shopper_keys))
    there.catch_up(cut)
    small.log.append(entries[cut:])
    small.log.rewrite("s-1", AnonymousRows(shopper_keys.key("s-1"), NOW + 1_000))
    small.log.append([NewRow(ClockRow(NOW + DAY_S))])
    again = Learner(small.log, registry, None, ErasedShoppers(small.log, shopper_keys))
    whole = fold_at_once(small.log)
    assert (len(entries), whole.learned) == (8, 2)
    for learner in (there, again):
        learner._fold()
        assert learner._learning.to_bytes() == whole.to_bytes()


def reopen(directory: Path) -> Learner:
    """Open a learner on the data of a small log, as after a stop: nothing but what was saved is left."""
    log = SqlLog.open(f"sqlite:///{directory}/decisions.sqlite")
    return Learner(log, SqlRegistry.open(f"sqlite:///{directory}/models.sqlite"), None, ErasedShoppers.stored(log))


@pytest.mark.parametrize("last", ["interaction", "correction"])
def test_what_was_folded_before_a_stop_is_published_by_the_next_clock(tmp_path: Path, last: str) -> None:
    small, versions = SmallLog(tmp_path), 0
    row = small.decide(1, rule_policy(epsilon=0.0))
    small.clock(NOW + 3 * DAY_S)
    learner = reopen(tmp_path)
    if last == "correction":
        versions = learner.catch_up(small.log.head().position)
        small.outcome(row, "click", after=4 * DAY_S)
        small.flush()
    learner.stop()
    head, whole = small.log.head().position, fold_at_once(small.log)
    again = reopen(tmp_path)
    assert (again.progress.position, again.progress.version) == (head, versions)
    assert again.catch_up(head) == versions + 1
    assert again._registry.load(versions + 1).payload == whole.publish()
    again.stop()
    assert reopen(tmp_path).catch_up(head) == versions + 1, "nothing new, and another version"


def test_what_may_not_be_published_may_not_after_a_restart_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallLog(tmp_path)
    small.decide(1, rule_policy(epsilon=0.0))
    small.clock()
    head = small.log.head().position
    with monkeypatch.context() as broken:
        broken.setattr(vw_learner, "collisions", lambda _, tokens, __: len(tokens))
        for _ in range(2):
            learner = reopen(tmp_path)
            assert learner.catch_up(head) == 0
            learner.stop()
    assert reopen(tmp_path).catch_up(head) == 1


def test_a_damaged_row_stops_learning_loudly_until_it_is_repaired(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = busy_log(tmp_path)
    head, whole = small.log.head().position, fold_at_once(small.log)
    body = write_body(tmp_path / "decisions.sqlite", 5, b"not JSON")
    learner = reopen(tmp_path)
    with pytest.raises(LogCorrupt, match="position 5 is damaged"):
        learner.catch_up(head)
    learner.start()
    deadline = time.monotonic() + 30
    while "learning waits: the row at position 5 is damaged" not in caplog.text:
        assert time.monotonic() < deadline, "the damage was never reported"
        time.sleep(0.02)
    assert learner.is_alive
    assert learner.progress.position < 5
    write_body(tmp_path / "decisions.sqlite", 5, body)
    learner.stop()
    assert save(tmp_path) == whole.to_bytes()


def test_a_learner_that_is_stopped_at_a_damaged_row_closes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = busy_log(tmp_path)
    head, whole = small.log.head().position, fold_at_once(small.log)
    learner = reopen(tmp_path)
    body = write_body(tmp_path / "decisions.sqlite", head, b"not JSON")
    closed: list[object] = []
    with monkeypatch.context() as patch:
        for store in (SqlLog, SqlRegistry):
            patch.setattr(store, "close", lambda self: closed.append(self))
        learner.stop()
    assert [type(store) for store in closed] == [SqlLog, SqlRegistry]
    write_body(tmp_path / "decisions.sqlite", head, body)
    reopen(tmp_path).catch_up(head)
    assert save(tmp_path) == whole.to_bytes()


def test_a_damaged_row_at_the_checkpoint_does_not_stop_the_start(tmp_path: Path) -> None:
    small = busy_log(tmp_path)
    head = small.log.head().position
    learner = reopen(tmp_path)
    learner.catch_up(head)
    learner.stop()
    write_body(tmp_path / "decisions.sqlite", head, b"not JSON")
    assert reopen(tmp_path).progress.position == head


def other_log(directory: Path, first: int, rows: int) -> SmallLog:
    """Write a log that learns from so many decisions, with other rows than a log with another first decision."""
    directory.mkdir()
    small = SmallLog(directory)
    for number in range(first, first + rows):
        small.decide(number, rule_policy(epsilon=0.0))
    small.clock(NOW + 3 * DAY_S + first)
    return small


@pytest.mark.parametrize(
    ("rows", "contradiction"), [(4, "another row at position 6"), (2, "a row at position 6, beyond the end of the log")]
)
def test_a_checkpoint_of_another_log_is_not_continued(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rows: int, contradiction: str
) -> None:
    one, other = other_log(tmp_path / "one", 1, 4), other_log(tmp_path / "other", 50, rows)
    learner = reopen(one.directory)
    assert learner.catch_up(one.log.head().position) == 1
    learner.stop()
    shutil.copy(one.directory / "models.sqlite", other.directory / "models.sqlite")
    learner = reopen(other.directory)
    assert f"the checkpoint contains {contradiction}, so learning begins again" in caplog.text
    assert learner.catch_up(other.log.head().position) == 2
    learner.stop()
    assert save(other.directory) == fold_at_once(other.log).to_bytes()


def test_a_checkpoint_of_another_version_of_the_fold_is_not_continued(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = other_log(tmp_path / "log", 1, 2)
    head = small.log.head().position
    with monkeypatch.context() as other:
        other.setattr(fold_module, "FOLD_VERSION", 99)
        learner = reopen(small.directory)
        learner.catch_up(head)
        learner.stop()
    assert reopen(small.directory).progress.position == 0
    assert "version 99 of the fold saved it" in caplog.text
    learner = reopen(small.directory)
    learner.stop()
    assert save(small.directory) == fold_at_once(small.log).to_bytes()
    assert reopen(small.directory).progress.position == head


def test_a_checkpoint_keeps_its_mark_where_nothing_new_is_folded(tmp_path: Path) -> None:
    small = other_log(tmp_path / "log", 1, 2)
    saved = fold_at_once(small.log).to_bytes()
    again = Learning.from_bytes(saved, lambda _: {}, LEARNING.make_learner)
    assert again.mark is not None
    assert again.to_bytes() == saved
