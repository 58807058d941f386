"""Tables: whatever a file holds, it is read, or refused by the name of its column, and of its row where one is bad."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_eval import BadData, LoggedBatch, Question, evaluate, make_estimators
from offline_eval.logs.files import LogFile
from offline_eval.logs.tables.plain import TableLayout, read_batches
from tests.offline_eval.logs.tables.writers import Write, every_format, write

ROWS = 4
QUESTION = Question(make_estimators(["ipw"]))
SOUND = {"reward": [1.0, 0.0] * 2, "propensity": [0.5] * ROWS, "target_propensity": [0.5] * ROWS}
OPTIONAL = ("q_chosen", "v_target", "shopper", "unsupported", "event_id")
AWKWARD: dict[str, Any] = {
    "numbers": pyarrow.array([0.5] * ROWS),
    "text": pyarrow.array(["a", "b", "", "a"]),
    "numbers as text": pyarrow.array(["1", "0", ".5", "1e-3"]),
    "nothing": pyarrow.nulls(ROWS),
    "some nothing": pyarrow.array([0.5, None, 0.5, 0.5]),
    "no numbers": pyarrow.array([0.5, np.nan, np.inf, 0.5]),
    "whole": pyarrow.array([1, 0, 1, 0]),
    "large": pyarrow.array([2**62 + 1] * ROWS),
    "float32": pyarrow.array(np.full(ROWS, 0.5, dtype=np.float32)),
    "truth": pyarrow.array([True, False] * 2),
    "decimal": pyarrow.array([Decimal("0.5")] * ROWS),
    "bytes": pyarrow.array([b"x"] * ROWS),
    "time": pyarrow.array([1] * ROWS, pyarrow.timestamp("s")),
    "list": pyarrow.array([[1.0]] * ROWS),
    "struct": pyarrow.array([{"a": 1}] * ROWS),
    "category": pyarrow.array(["a", "b", "a", "a"]).dictionary_encode(),
    "category of numbers": pyarrow.array([0.5, 1.0, 0.5, 0.5]).dictionary_encode(),
    "empty category in use": pyarrow.DictionaryArray.from_arrays([0, 1, 0, 0], ["a", ""]),
    "empty category of no row": pyarrow.DictionaryArray.from_arrays([0, 0, 0, 0], ["a", ""]),
}

several = settings(max_examples=200, deadline=None)


def read(path: Path) -> LoggedBatch:
    (rows,) = read_batches(path, TableLayout(needs_model=False))
    return rows


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "rows.parquet"


@given(st.lists(st.tuples(st.sampled_from([*SOUND, *OPTIONAL]), st.sampled_from(sorted(AWKWARD))), max_size=3))
@several
def test_every_table_is_evaluated_or_refused_by_name(file: Path, changes: list[tuple[str, str]]) -> None:
    """Columns of any type, left as they are, replaced, added, or there twice."""
    kept = [(name, values) for name, values in SOUND.items() if name not in dict(changes)]
    write(file, [*kept, *((name, AWKWARD[kind]) for name, kind in changes)])
    assert find_refused_column(file) in {None, *dict(changes)}


def find_refused_column(path: Path) -> str | None:
    """Return the column for which a file is refused."""
    try:
        evaluate(read_batches(path, TableLayout(needs_model=False)), QUESTION)
    except BadData as refusal:
        return refusal.column
    return None


@every_format
@pytest.mark.parametrize("name", ["reward", *OPTIONAL])
def test_a_column_that_stands_twice_is_refused_even_where_it_may_be_absent(
    tmp_path: Path, name: str, written: Write
) -> None:
    others = [(column, values) for column, values in SOUND.items() if column != name]
    path = written(tmp_path / "rows", [*others, *[(name, [0.5] * ROWS)] * 2])
    with pytest.raises(BadData, match=f"column {name}: stands twice"):
        read(path)


@every_format
def test_a_column_that_nobody_reads_may_stand_twice(tmp_path: Path, written: Write) -> None:
    assert len(read(written(tmp_path / "rows", [*SOUND.items(), *[("note", ["x"] * ROWS)] * 2]))) == ROWS


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.permutations(["", "a", "b", "c", "d"]))
@several
def test_a_category_that_no_row_has_changes_nothing(file: Path, shoppers: list[str], names: list[str]) -> None:
    numbers = [(name, [0.5] * len(shoppers)) for name in SOUND]
    category = pyarrow.DictionaryArray.from_arrays([names.index(value) for value in shoppers], names)
    numbered, plain = (read(write(file, [*numbers, ("shopper", column)])).shoppers for column in (category, shoppers))
    assert numbered is not None
    assert plain is not None
    # Numbers differ, who is whom does not.
    assert len({*zip(numbered.tolist(), plain.tolist(), strict=True)}) == len({*shoppers}) == len({*numbered.tolist()})


def test_an_empty_category_is_named_by_its_row_in_any_batch(tmp_path: Path) -> None:
    count = 140_000
    places = np.where(np.arange(count) == count - 2, 1, 0)
    numbers = [(name, np.full(count, 0.5)) for name in SOUND]
    category = ("shopper", pyarrow.DictionaryArray.from_arrays(places, ["a", ""]))
    with pytest.raises(BadData, match="row 139999, column shopper: is empty"):
        list(read_batches(write(tmp_path / "rows", [*numbers, category]), TableLayout(needs_model=False)))


@pytest.mark.parametrize("kind", ["list", "struct"])
def test_shoppers_of_no_name_are_refused(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "rows", [*SOUND.items(), ("shopper", AWKWARD[kind])])
    with pytest.raises(BadData, match=f"column shopper: holds {kind}<.*>, must hold names or numbers"):
        read(path)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8))
@several
def test_whole_numbers_are_rewards_however_large(file: Path, rewards: list[int]) -> None:
    columns = {name: [0.5] * len(rewards) for name in SOUND} | {"reward": rewards}
    assert read(write(file, [*columns.items()])).reward.tolist() == [float(value) for value in rewards]


@pytest.mark.parametrize(
    ("column", "values", "is_alike"),
    [
        ("shopper", pyarrow.array(["1"] * ROWS).dictionary_encode(), True),
        ("shopper", [1] * ROWS, False),
        ("reward", [1] * ROWS, True),
        ("q_chosen", [0.5] * ROWS, False),
    ],
)
def test_files_of_one_table_have_the_same_columns(tmp_path: Path, column: str, values: Any, is_alike: bool) -> None:
    first = SOUND | {"shopper": ["1"] * ROWS}
    second = first | {column: values}
    files = [LogFile.of(write(tmp_path / name, [*table.items()])) for name, table in (("a", first), ("b", second))]
    if not is_alike:
        with pytest.raises(BadData, match=r"b, column \(all\): has .*, but a has "):
            list(read_batches(files, TableLayout(needs_model=False)))
        return
    shoppers = [batch.shoppers for batch in read_batches(files, TableLayout(needs_model=False))]
    assert [codes.tolist() for codes in shoppers if codes is not None] == [[0] * ROWS] * 2


@every_format
def test_rows_without_an_event_repeat_no_row_of_another_file(tmp_path: Path, written: Write) -> None:
    table = [*SOUND.items(), ("event_id", ["", "e-1", "", "e-2"])]
    files = [LogFile.of(written(tmp_path / name, table)) for name in ("a", "b")]
    events = np.concatenate([batch.events for batch in read_batches(files, TableLayout(needs_model=False))])
    assert len(set(events.tolist())) == 6  # the four rows without an event, e-1 and e-2
