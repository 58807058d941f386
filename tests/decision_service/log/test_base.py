"""The laws of the log, for every implementation of the port."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decision_service.log.base import (
    CROSSING,
    TURNING,
    UNCONDITIONAL,
    Appended,
    Condition,
    Conflict,
    Entry,
    EventLog,
    Fenced,
    Head,
    LogRow,
    Precluded,
    Result,
    Rewritten,
)
from decision_service.log.sql import SqlLog

Opener = Callable[[Path], EventLog]

TIME = 10.0
"""What the clock of every log says."""

IMPLEMENTATIONS: dict[str, Opener] = {
    "sqlite": lambda directory: SqlLog.open(f"sqlite:///{directory}/log.sqlite", clock=lambda: TIME)
}

every_log = pytest.mark.parametrize("opener", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())

condition = st.just(UNCONDITIONAL) | st.builds(
    Condition,
    unless=st.frozensets(st.sampled_from(["decision", "outcome"])),
    before=st.sampled_from([float("inf"), 0.0, 1e9]),
    owner=st.none() | st.sampled_from(["s1", "s2"]),
    since=st.none() | st.integers(0, 8),
    unerased_since=st.none() | st.integers(0, 8),
    shoppers=st.lists(st.sampled_from(["s1", "s2", "nobody"]), max_size=2).map(tuple),
    kinds=st.sampled_from([TURNING, CROSSING]),
    until=st.sampled_from([float("inf"), TIME + 1, TIME, TIME - 1]),
)


@dataclass(frozen=True)
class Echo:
    """Says again what was said of an event, while the watermark lies below a time."""

    at: float
    before: float

    def __call__(self, earlier: Sequence[LogRow]) -> list[Entry]:
        condition = Condition(before=self.before)
        return [Entry("outcome", self.at, row.body, row.event_id, "s1", condition=condition) for row in earlier]


entry = st.builds(
    Entry,
    kind=st.sampled_from(["decision", "outcome", "erasure", "activation", "event", "fence"]),
    at=st.floats(min_value=-1e10, max_value=1e10),
    body=st.binary(max_size=8),
    event_id=st.none() | st.sampled_from(["e1", "e2", "ünïcode"]),
    shopper_id=st.none() | st.sampled_from(["s1", "s2"]),
    key=st.none() | st.sampled_from(["k1", "k2", "k3", "k4"]),
    fence=st.none() | st.integers(0, 2),
    condition=condition,
    then=st.none() | st.builds(Echo, at=st.sampled_from([0.0, 1e9]), before=st.sampled_from([float("inf"), 1e9])),
    dated=st.none() | st.just(lambda at: repr(at).encode()),
)
batches = st.lists(st.lists(entry, max_size=6), max_size=6)


@dataclass
class Model:
    """The log as one would write it down: a list, and a search through all of it for everything."""

    rows: list[LogRow] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def append(self, new: Entry) -> Result:
        if new.key is not None and new.key in self.keys:
            return Conflict(self.rows[self.keys.index(new.key)])
        incarnation = sum(row.kind == "fence" for row in self.rows)
        if new.fence is not None and new.fence != incarnation:
            return Fenced(incarnation)
        before = max((row.at for row in self.rows), default=float("-inf"))
        if (precluded := self.preclusion(new, before)) is not None:
            return precluded
        earlier = [row for row in self.rows if new.event_id is not None and row.event_id == new.event_id]
        at = new.at if new.dated is None else max(before, new.at)
        row = LogRow(
            position=len(self.rows) + 1,
            kind=new.kind,
            at=at,
            watermark=max(before, new.at),
            incarnation=incarnation + (new.kind == "fence"),
            event_id=new.event_id,
            shopper_id=new.shopper_id,
            body=new.body if new.dated is None else new.dated(at),
        )
        self.rows.append(row)
        self.keys.append(new.key)
        followed = [self.append(each) for each in (new.then(earlier) if new.then is not None else ())]
        return Appended(row.position, before, row.watermark, sum(isinstance(r, Appended) for r in followed))

    def preclusion(self, new: Entry, watermark: float) -> Precluded | None:
        wanted = new.condition
        for row in self.rows:
            if new.event_id is None or row.event_id != new.event_id:
                continue
            if wanted.owner is not None and row.shopper_id is not None and row.shopper_id != wanted.owner:
                return Precluded(row.position, erased=True)
            if row.kind in wanted.unless:
                return Precluded(row.position)
        if max(watermark, new.at) >= wanted.before or wanted.until < TIME:
            return Precluded(len(self.rows))
        theirs = [row for row in self.rows if row.shopper_id in wanted.shoppers]
        erased = [row.position for row in theirs if row.kind == "erasure"]
        said = [row for row in theirs if row.kind in wanted.kinds]
        if wanted.unerased_since is not None and max(erased, default=0) > wanted.unerased_since:
            return Precluded(erased[-1], erased=True)
        if wanted.since is not None and said and said[-1].position > wanted.since:
            return Precluded(said[-1].position)
        return None


@contextmanager
def opened(opener: Opener) -> Iterator[EventLog]:
    """A new log that is closed and removed afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        log = opener(Path(directory))
        try:
            yield log
        finally:
            log.close()


def filled(log: EventLog, groups: Sequence[Sequence[Entry]]) -> Model:
    model = Model()
    for group in groups:
        log.append(group)
        for new in group:
            model.append(new)
    return model


@every_log
@settings(max_examples=60, deadline=None)
@given(groups=batches)
def test_every_answer_and_every_row_is_that_of_a_plain_list(opener: Opener, groups: list[list[Entry]]) -> None:
    model = Model()
    with opened(opener) as log:
        for group in groups:
            assert log.append(group) == [model.append(new) for new in group]
        assert log.read(0, 1_000) == model.rows


@every_log
@settings(max_examples=25, deadline=None)
@given(groups=batches)
def test_how_entries_are_grouped_changes_nothing(opener: Opener, groups: list[list[Entry]]) -> None:
    together = [new for group in groups for new in group]
    with opened(opener) as one, opened(opener) as other:
        assert one.append(together) == [result for new in together for result in other.append([new])]
        assert one.read(0, 1_000) == other.read(0, 1_000)


@every_log
@settings(max_examples=40, deadline=None)
@given(groups=batches, size=st.integers(1, 4), kinds=st.sets(st.sampled_from(["decision", "fence", "other"])))
def test_every_way_of_reading_gives_what_a_search_through_all_rows_gives(
    opener: Opener, groups: list[list[Entry]], size: int, kinds: set[str]
) -> None:
    with opened(opener) as log:
        model = filled(log, groups)
        rows = model.rows
        pages = [page for start in range(0, len(rows) + 1, size) for page in log.read(start, size)]
        assert pages == rows
        assert log.read(1, size, kinds) == [row for row in rows[1:] if row.kind in kinds][:size]
        assert log.of_events(["e1", "ünïcode", "none"]) == [r for r in rows if r.event_id in ("e1", "ünïcode")]
        assert log.find_all(["k2", "k1", "k1", "none"]) == [
            row for row, key in zip(rows, model.keys, strict=True) if key in ("k1", "k2")
        ]
        of_shopper = [row for row in reversed(rows) if row.shopper_id == "s1"]
        assert log.of_shopper("s1", size) == of_shopper[:size]
        assert log.of_shopper("s1", size, before=5) == [row for row in of_shopper if row.position < 5][:size]
        assert log.last_of_kind("fence") == next((row for row in reversed(rows) if row.kind == "fence"), None)
        assert log.is_empty() == (not rows)
        last = rows[-1] if rows else None
        assert log.head() == (Head(last.position, last.watermark, last.incarnation) if last else Head())
        for row in rows:
            reaching = next(other.position for other in rows if other.watermark >= row.at)
            assert log.first_reaching(row.at) == reaching
        assert log.first_reaching(2e10) is None


@every_log
def test_more_names_than_one_statement_takes_are_found(opener: Opener) -> None:
    names = [f"e{number}" for number in range(1_201)]
    with opened(opener) as log:
        log.append([Entry("decision", 1.0, b"{}", event_id=name, key=name) for name in names])
        assert [row.event_id for row in log.of_events(names)] == names
        assert [row.event_id for row in log.find_all(names[::-1])] == names
        again = log.append([Entry("decision", 1.0, b"{}", event_id=name, key=name) for name in names])
        assert all(isinstance(result, Conflict) for result in again)


@every_log
def test_a_key_is_taken_whatever_event_it_came_with(opener: Opener) -> None:
    with opened(opener) as log:
        log.append([Entry("outcome", 1.0, b"{}", event_id="e1", key="k")])
        (first,) = log.read(0, 1)
        others = [
            Entry("outcome", 2.0, b"{}", event_id="e2", key="k"),
            Entry("outcome", 2.0, b"{}", event_id=None, key="k"),
            Entry("outcome", 2.0, b"{}", event_id="e1"),
        ]
        assert log.append(others) == [Conflict(first), Conflict(first), Appended(2, 1.0, 2.0)]


@every_log
def test_a_fence_shuts_out_whoever_holds_the_incarnation_before(opener: Opener) -> None:
    with opened(opener) as log:
        before = Entry("decision", 1.0, b"{}", fence=0)
        fence = Entry("fence", 2.0, b"{}", fence=0)
        results = log.append([before, fence, fence, before, Entry("decision", 3.0, b"{}", fence=1)])
        assert [type(result) for result in results] == [Appended, Appended, Fenced, Fenced, Appended]
        assert results[2] == Fenced(1)
        assert log.head() == Head(3, 3.0, 1)


@every_log
def test_an_entry_past_its_time_is_not_written(opener: Opener) -> None:
    with opened(opener) as log:
        assert log.now() == TIME
        entries = [Entry("decision", 1.0, b"{}", condition=Condition(until=TIME + more)) for more in (-1, 0, 1)]
        assert log.append(entries) == [Precluded(0), Appended(1, float("-inf"), 1.0), Appended(2, 1.0, 1.0)]


@every_log
def test_what_comes_behind_an_entry_comes_with_it_or_not_at_all(opener: Opener) -> None:
    def decision(event_id: str, before: float) -> Entry:
        return Entry("decision", 2.0, b"{}", event_id=event_id, key=event_id, then=Echo(2.0, before))

    with opened(opener) as log:
        log.append([Entry("outcome", 1.0, name.encode(), event_id=name) for name in ("e1", "e2")])
        results = log.append([decision("e1", float("inf")), decision("e1", float("inf")), decision("e2", 2.0)])
        rows = log.read(2, 10)
        assert results == [Appended(3, 1.0, 2.0, followed=1), Conflict(rows[0]), Appended(5, 2.0, 2.0)]
        assert [(row.kind, row.body, row.shopper_id) for row in rows] == [
            ("decision", b"{}", None),
            ("outcome", b"e1", "s1"),
            ("decision", b"{}", None),
        ]


@every_log
def test_a_fact_is_stored_once_and_stays(opener: Opener) -> None:
    with opened(opener) as log:
        assert log.stored_fact("seed") is None
        assert [log.fact("seed", value) for value in ("7", "8")] == ["7", "7"]
        assert log.stored_fact("seed") == "7"


@every_log
def test_everything_is_there_when_opened_again(opener: Opener, tmp_path: Path) -> None:
    entries = [
        Entry("decision", 1.0, bytes(range(256)), event_id="e", shopper_id="s", key="k"),
        Entry("fence", 3.0, b""),
    ]
    log = opener(tmp_path)
    log.append(entries)
    log.fact("seed", "7")
    rows = log.read(0, 10)
    log.close()
    log = opener(tmp_path)
    assert log.read(0, 10) == rows
    assert log.stored_fact("seed") == "7"
    assert log.append([Entry("clock", 2.0, b"", fence=1)]) == [Appended(3, 3.0, 3.0)]
    log.close()


@pytest.mark.parametrize("field_name", ["event_id", "shopper_id", "key"])
def test_a_name_that_no_database_takes_is_refused_before_it_can_fail_its_group(field_name: str) -> None:
    names = dict.fromkeys(["event_id", "shopper_id", "key"], "fine") | {field_name: "\ud800"}
    with pytest.raises(ValueError, match="not valid Unicode"):
        Entry("event", 1.0, b"", event_id=names["event_id"], shopper_id=names["shopper_id"], key=names["key"])


@pytest.mark.parametrize("at", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_would_spoil_the_watermark_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Entry("event", at, b"")


class Shouting:
    """Rewrites rows to capitals."""

    def rewritten(self, row: LogRow) -> Rewritten:
        return Rewritten("S", row.body.upper(), keyless=row.kind == "event")

    def last_word(self, rows: Sequence[LogRow]) -> Entry:
        return Entry("erasure", 1.0, str(len(rows)).encode(), shopper_id="k")


@every_log
@settings(max_examples=25, deadline=None)
@given(groups=batches)
def test_rewriting_changes_the_rows_of_one_shopper_and_nothing_else(opener: Opener, groups: list[list[Entry]]) -> None:
    with opened(opener) as log:
        model = filled(log, groups)
        own = [row for row in model.rows if row.shopper_id == "s1"]
        last = log.rewrite("s1", Shouting())
        assert (last.position, last.body) == (len(model.rows) + 1, str(len(own)).encode())
        changed = log.read(0, 1_000)
        for before, after in zip(model.rows, changed, strict=False):
            if before.shopper_id != "s1":
                assert after == before
            else:
                assert (after.shopper_id, after.body) == ("S", before.body.upper())
                assert (after.position, after.event_id, after.watermark) == (
                    before.position,
                    before.event_id,
                    before.watermark,
                )
        assert log.of_shopper("s1", 10) == []
        keys = {key: row for row, key in zip(model.rows, model.keys, strict=True) if key is not None}
        kept = {row.position for key, row in keys.items() if not (row.shopper_id == "s1" and row.kind == "event")}
        assert {row.position for row in log.find_all(list(keys))} == kept
