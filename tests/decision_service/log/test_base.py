"""The laws of the log, for every implementation of the port."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decision_service.log.base import (
    Appended,
    ConditionFailed,
    DuplicateKey,
    EventLog,
    Head,
    NewRow,
    Replacement,
    StaleIncarnation,
    StoredRow,
)
from decision_service.log.condition import AppendCondition, Query
from decision_service.log.keys import decision_key
from decision_service.log.reading import find_events, read_rows
from decision_service.log.sql import SqlLog
from policies.records.erasure import anonymous
from policies.records.rows import SHOPPER_ROWS, ClockCorrectionRow, ClockRow, ErasureRow, EventRow, FenceRow, OutcomeRow
from tests.decision_service.log.list_log import ListLog
from tests.decision_service.log.rows import KINDS, TIME, Repeat, batches, decision, outcome, queries

Opener = Callable[[Path], EventLog]


def open_sqlite(directory: Path) -> SqlLog:
    return SqlLog.open(f"sqlite:///{directory}/log.sqlite", clock=lambda: TIME)


IMPLEMENTATIONS: dict[str, Opener] = {"sqlite": open_sqlite}

every_log = pytest.mark.parametrize("opener", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())

Batches = list[list[NewRow]]


clocks = st.sampled_from(["request", "wall"])


@contextmanager
def new_log(opener: Opener, clock: str = "request") -> Iterator[EventLog]:
    """A new log that is closed and removed afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        log = opener(Path(directory))
        log.store_fact("clock", clock)
        try:
            yield log
        finally:
            log.close()


def model_of(log: EventLog) -> ListLog:
    return ListLog(is_wall=log.read_fact("clock") == "wall")


def fill(log: EventLog, groups: Batches) -> ListLog:
    model = model_of(log)
    for group in groups:
        log.append(group)
        for new in group:
            model.append(new)
    return model


@every_log
@settings(max_examples=60, deadline=None)
@given(groups=batches, clock=clocks)
def test_every_answer_and_every_row_is_that_of_a_plain_list(opener: Opener, groups: Batches, clock: str) -> None:
    with new_log(opener, clock) as log:
        model = model_of(log)
        for group in groups:
            assert log.append(group) == [model.append(new) for new in group]
        assert log.read(0, 1_000) == model.rows


@every_log
@settings(max_examples=25, deadline=None)
@given(groups=batches, clock=clocks)
def test_how_rows_are_grouped_changes_nothing(opener: Opener, groups: Batches, clock: str) -> None:
    together = [new for group in groups for new in group]
    with new_log(opener, clock) as one, new_log(opener, clock) as other:
        assert one.append(together) == [result for new in together for result in other.append([new])]
        assert one.read(0, 1_000) == other.read(0, 1_000)


@every_log
@settings(max_examples=60, deadline=None)
@given(groups=batches, asked=st.lists(queries, min_size=1, max_size=3))
def test_an_append_fails_exactly_if_a_row_matches_one_of_its_queries(
    opener: Opener, groups: Batches, asked: list[Query]
) -> None:
    with new_log(opener) as log:
        model = fill(log, groups)
        for query in asked:
            matches = model.matches(query)
            (result,) = log.append([NewRow(ClockRow(0.0), condition=AppendCondition((query,)))])
            if matches:
                assert result == ConditionFailed(matches[-1].position, any(row.kind == "erasure" for row in matches))
            else:
                assert isinstance(result, Appended)
                model.append(NewRow(ClockRow(0.0)))


@every_log
@settings(max_examples=40, deadline=None)
@given(
    groups=batches,
    clock=clocks,
    size=st.integers(1, 4),
    kinds=st.sets(st.sampled_from(KINDS)),
    until=st.integers(0, 9),
)
def test_every_way_of_reading_gives_what_a_search_through_all_rows_gives(
    opener: Opener, groups: Batches, clock: str, size: int, kinds: set[str], until: int
) -> None:
    with new_log(opener, clock) as log:
        model = fill(log, groups)
        rows = model.rows
        pages = [page for start in range(0, len(rows) + 1, size) for page in log.read(start, size)]
        assert pages == rows
        assert log.read(1, size, kinds) == [row for row in rows[1:] if row.kind in kinds][:size]
        assert list(read_rows(log, batch=size)) == rows
        assert list(read_rows(log, 2, until, kinds, batch=size)) == [r for r in rows[2:until] if r.kind in kinds]
        of_events = [row for row in rows if row.event_id in ("e1", "ünïcode")]
        assert log.find_by_event(["e1", "ünïcode", "none"]) == of_events
        assert find_events(log, ["e1", "ünïcode", "none"]) == {
            event_id: [(row.position, row.row) for row in of_events if row.event_id == event_id]
            for event_id in {row.event_id for row in of_events}
        }
        assert log.find_by_key(["k2", "k1", "k1", "none", decision_key("e1")]) == [
            row for row, key in zip(rows, model.keys, strict=True) if key in ("k1", "k2", decision_key("e1"))
        ]
        of_shopper = [row for row in reversed(rows) if row.shopper_id == "s1"]
        assert log.find_by_shopper("s1", size) == of_shopper[:size]
        assert log.find_by_shopper("s1", size, before=5) == [row for row in of_shopper if row.position < 5][:size]
        assert log.find_last("fence") == next((row for row in reversed(rows) if row.kind == "fence"), None)
        last = rows[-1] if rows else None
        assert log.head() == (Head(last.position, last.watermark, last.incarnation) if last else Head())
        for row, first in itertools.product(rows, range(1, len(rows) + 2)):
            reaching = (other.position for other in rows[first - 1 :] if other.watermark >= row.at)
            assert log.find_first_reaching(row.at, first) == next(reaching, None)
        assert log.find_first_reaching(2e10) is None


@every_log
def test_rows_that_are_appended_while_the_log_is_read_are_read_too(opener: Opener) -> None:
    with new_log(opener) as log:
        log.append([NewRow(ClockRow(1.0)), NewRow(ClockRow(2.0))])
        positions = []
        for row in read_rows(log, batch=1):
            positions.append(row.position)
            if row.position < 5:
                log.append([NewRow(ClockRow(3.0))])
        assert positions == [1, 2, 3, 4, 5, 6]


@every_log
def test_more_names_than_one_statement_takes_are_found(opener: Opener) -> None:
    names = [f"e{number}" for number in range(1_201)]
    rows = [NewRow(decision(1.0, name), name) for name in names]
    with new_log(opener) as log:
        log.append(rows)
        assert [row.event_id for row in log.find_by_event(names)] == names
        assert [row.event_id for row in log.find_by_key(names[::-1])] == names
        assert all(isinstance(result, DuplicateKey) for result in log.append(rows))


@every_log
@pytest.mark.parametrize("first", [0, 1])
def test_a_name_is_found_by_all_its_characters(opener: Opener, first: int) -> None:
    names = ["a", "a\x00", "a\\u0000b", "a\x00b", 'a"b', "a\x1fb", "ä\U0001f600", "A", "a "]
    rows = [NewRow(outcome(1.0, name), key=f"k{name}") for name in names[first::2]]
    with new_log(opener) as log:
        log.append(rows)
        for result in (log.find_by_event(names), log.find_by_key([f"k{name}" for name in names])):
            assert [row.event_id for row in result] == names[first::2]
        assert log.find_by_event(names[1 - first :: 2]) == []
        assert all(isinstance(result, DuplicateKey) for result in log.append(rows))


@every_log
def test_a_query_about_more_shoppers_than_one_statement_takes_finds_them(opener: Opener) -> None:
    names = tuple(f"s{number}" for number in range(1_201))
    with new_log(opener) as log:
        log.append([NewRow(EventRow(at=1.0, shopper_id=names[-1], type="product_view", occurred_at=1.0))])
        condition = AppendCondition((Query(("event",), names),))
        assert log.append([NewRow(ClockRow(2.0), condition=condition)]) == [ConditionFailed(1)]


@every_log
@pytest.mark.parametrize("rows_between", [0, 1_500])
def test_a_query_matches_however_far_back_it_looks(opener: Opener, rows_between: int) -> None:
    with new_log(opener) as log:
        log.append([NewRow(EventRow(at=1.0, shopper_id=name, type="product_view", occurred_at=1.0)) for name in "ab"])
        log.append([NewRow(ClockRow(1.0))] * rows_between)
        asked = [("a", 0), ("b", 1), ("b", 2), ("c", 0)]
        conditions = [AppendCondition((Query(("event",), (shopper,), after=after),)) for shopper, after in asked]
        results = log.append([NewRow(ClockRow(2.0), condition=condition) for condition in conditions])
        assert results[:2] == [ConditionFailed(1), ConditionFailed(2)]
        assert [type(result) for result in results[2:]] == [Appended, Appended]


@every_log
def test_a_decision_that_is_in_the_log_fails_none_of_its_group(opener: Opener) -> None:
    def decide(event_id: str, fail_if: tuple[Query, ...] = ()) -> NewRow:
        return NewRow(decision(2.0, event_id), decision_key(event_id), AppendCondition(fail_if))

    with new_log(opener) as log:
        log.append([NewRow(outcome(1.0, "e2")), decide("e1")])
        (first,) = log.find_by_key([decision_key("e1")])
        crossed = Query(("decision",), ("s1",))
        results = log.append([decide("e0"), decide("e1"), decide("e2"), decide("e1", (crossed,)), decide("e0")])
        assert [type(result) for result in results] == [Appended, DuplicateKey, Appended, DuplicateKey, DuplicateKey]
        assert results[1] == results[3] == DuplicateKey(first)
        assert log.append([decide("e1", (crossed,))]) == [DuplicateKey(first)]
        assert [row.event_id for row in log.read(0, 10)] == ["e2", "e1", "e0", "e2"]
        assert [row.kind for row in log.find_by_event(["e2"])] == ["outcome", "decision"]


@every_log
def test_a_key_is_in_use_whatever_event_it_came_with(opener: Opener) -> None:
    with new_log(opener) as log:
        log.append([NewRow(outcome(1.0, "e1"), "k")])
        (first,) = log.read(0, 1)
        others = [NewRow(outcome(2.0, "e2"), "k"), NewRow(ClockRow(2.0), "k"), NewRow(outcome(2.0, "e1"))]
        assert log.append(others) == [DuplicateKey(first), DuplicateKey(first), Appended(2, 2.0)]


@every_log
def test_a_fence_makes_the_incarnation_before_it_stale(opener: Opener) -> None:
    with new_log(opener) as log:
        before = NewRow(decision(1.0, "e1"), condition=AppendCondition(incarnation=0))
        fence = NewRow(FenceRow(2.0), condition=AppendCondition(incarnation=0))
        after = NewRow(decision(3.0, "e2"), condition=AppendCondition(incarnation=1))
        results = log.append([before, fence, fence, before, after])
        assert [type(result) for result in results] == [
            Appended,
            Appended,
            StaleIncarnation,
            StaleIncarnation,
            Appended,
        ]
        assert results[2] == StaleIncarnation(1)
        assert log.head() == Head(3, 3.0, 1)


@every_log
def test_a_row_past_its_deadline_is_not_written(opener: Opener) -> None:
    with new_log(opener) as log:
        assert log.now() == TIME
        rows = [NewRow(ClockRow(1.0), condition=AppendCondition(deadline=TIME + more)) for more in (-1, 0, 1)]
        assert log.append(rows) == [ConditionFailed(0), Appended(1, 1.0), Appended(2, 1.0)]


@every_log
def test_a_row_far_ahead_of_the_wall_clock_is_corrected_before_the_next_one(opener: Opener) -> None:
    """A machine that boots in local time is hours ahead for a second: the rows that follow are not."""
    ahead = NewRow(ClockRow(TIME + 20_000))
    with new_log(opener, "wall") as log:
        assert log.append([NewRow(ClockRow(TIME + 300))]) == [Appended(1, TIME + 300)]
        assert log.append([ahead, NewRow(ClockRow(TIME))]) == [Appended(2, TIME + 20_000), Appended(4, TIME)]
        assert [row.row for row in log.read(2, 1)] == [ClockCorrectionRow(TIME)]
        opt_out = OutcomeRow(TIME, "e1", "opt_out", TIME, shopper_id="s1", channel="push")
        assert log.append([ahead, NewRow(opt_out)]) == [Appended(5, TIME + 20_000), Appended(7, TIME)]
        assert log.read(6, 1)[0].at == TIME
    with new_log(opener, "request") as log:
        log.append([ahead, NewRow(ClockRow(TIME))])
        assert log.head() == Head(2, TIME + 20_000, 0)


@every_log
def test_a_row_that_is_dated_by_the_watermark_is_not_written_once_the_clock_was_corrected(opener: Opener) -> None:
    with new_log(opener, "wall") as log:
        log.append([NewRow(ClockRow(TIME + 20_000))])
        expired = NewRow(ClockRow(TIME + 20_000), condition=AppendCondition(watermark_from=TIME + 20_000))
        assert log.append([expired]) == [ConditionFailed(2)]
        assert log.head() == Head(2, TIME, 0)


@every_log
def test_follow_ups_are_written_directly_after_their_row_or_not_at_all(opener: Opener) -> None:
    def decide(event_id: str, watermark_below: float) -> NewRow:
        return NewRow(decision(2.0, event_id, "s1"), event_id, follow_up=Repeat(2.0, watermark_below))

    with new_log(opener) as log:
        log.append([NewRow(outcome(1.0, name)) for name in ("e1", "e2")])
        results = log.append([decide("e1", float("inf")), decide("e1", float("inf")), decide("e2", 2.0)])
        rows = log.read(2, 10)
        assert results == [Appended(3, 2.0, follow_ups=1), DuplicateKey(rows[0]), Appended(5, 2.0)]
        assert [(row.kind, row.event_id, row.shopper_id) for row in rows] == [
            ("decision", "e1", "s1"),
            ("outcome", "e1", "s1"),
            ("decision", "e2", "s1"),
        ]


@every_log
def test_an_erasure_is_found_by_the_key_of_the_erased_shopper(opener: Opener) -> None:
    with new_log(opener) as log:
        log.append([NewRow(ErasureRow(1.0, "erased:1", "key"))])
        assert [row.kind for row in log.find_by_shopper("key", 1)] == ["erasure"]
        assert log.find_by_shopper("erased:1", 1) == []


@every_log
def test_a_fact_is_stored_once_and_stays(opener: Opener) -> None:
    with new_log(opener) as log:
        assert log.read_fact("seed") is None
        assert [log.store_fact("seed", value) for value in ("7", "8")] == ["7", "7"]
        assert log.read_fact("seed") == "7"


@every_log
def test_everything_is_there_when_opened_again(opener: Opener, tmp_path: Path) -> None:
    log = opener(tmp_path)
    log.append([NewRow(decision(1.0, "e"), "k"), NewRow(FenceRow(3.0))])
    log.store_fact("seed", "7")
    rows = log.read(0, 10)
    log.close()
    log = opener(tmp_path)
    assert log.read(0, 10) == rows
    assert log.read_fact("seed") == "7"
    (result,) = log.append([NewRow(ClockRow(2.0), condition=AppendCondition(incarnation=1))])
    assert result == Appended(3, 3.0)
    log.close()


@pytest.mark.parametrize("field", ["event_id", "shopper_id", "key"])
def test_a_name_that_no_database_takes_is_refused_before_it_can_fail_its_group(field: str) -> None:
    names = dict.fromkeys(["event_id", "shopper_id", "key"], "fine") | {field: "\ud800"}
    with pytest.raises(ValueError, match="not valid Unicode"):
        NewRow(outcome(1.0, names["event_id"], names["shopper_id"]), names["key"])


def test_a_row_that_cannot_be_encoded_is_refused_before_it_can_fail_its_group() -> None:
    with pytest.raises(UnicodeEncodeError):
        NewRow(outcome(1.0, "e", feedback_id="\ud800"))


@pytest.mark.parametrize("at", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_would_spoil_the_watermark_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        NewRow(ClockRow(at))


class Anonymous:
    """Replaces a shopper's name by S."""

    def rewrite(self, row: StoredRow) -> Replacement:
        assert isinstance(row.row, SHOPPER_ROWS)
        return Replacement(anonymous(row.row, "S"), keeps_key=row.kind != "event")

    def final_row(self, rows: Sequence[StoredRow]) -> NewRow:
        return NewRow(OutcomeRow(at=1.0, event_id="count", type="conversion", occurred_at=1.0, value=len(rows)))


@every_log
@settings(max_examples=25, deadline=None)
@given(groups=batches)
def test_rewriting_changes_the_rows_of_one_shopper_and_nothing_else(opener: Opener, groups: Batches) -> None:
    with new_log(opener) as log:
        model = fill(log, groups)
        of_shopper = [row for row in model.rows if row.shopper_id == "s1"]
        final = log.rewrite("s1", Anonymous())
        assert isinstance(final.row, OutcomeRow)
        assert (final.position, final.row.value) == (len(model.rows) + 1, len(of_shopper))
        for before, after in zip(model.rows, log.read(0, 1_000), strict=False):
            if before.shopper_id != "s1":
                assert after == before
            else:
                assert isinstance(before.row, SHOPPER_ROWS)
                assert (after.shopper_id, after.row) == ("S", anonymous(before.row, "S"))
                assert (after.position, after.event_id, after.watermark) == (
                    before.position,
                    before.event_id,
                    before.watermark,
                )
        assert log.find_by_shopper("s1", 10) == []
        keys = {key: row for row, key in zip(model.rows, model.keys, strict=True) if key is not None}
        kept = {row.position for key, row in keys.items() if not (row.shopper_id == "s1" and row.kind == "event")}
        assert {row.position for row in log.find_by_key(list(keys))} == kept
