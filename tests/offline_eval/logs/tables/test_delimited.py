"""Text tables: every dialect of the same table holds the same rows, and what cannot be read is named."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_eval import BadData, EvaluationError, LoggedBatch, NoData, Unreadable
from offline_eval.logs.tables.plain import TableLayout, read_batches

LAYOUT = TableLayout(needs_model=False)
several = settings(max_examples=60, deadline=None)


def read(path: Path, layout: TableLayout = LAYOUT) -> LoggedBatch:
    (rows,) = read_batches(path, layout)
    return rows


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "rows.csv"


rewards = st.lists(st.floats(-1e6, 1e6).map(lambda reward: round(reward, 3)), min_size=1, max_size=9)


@several
@given(
    rewards=rewards,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    comma=st.booleans(),
    bom=st.booleans(),
    packed=st.booleans(),
    quoted=st.booleans(),
)
def test_a_table_holds_the_same_rows_in_every_dialect(
    file: Path, rewards: list[float], delimiter: str, end: str, comma: bool, bom: bool, packed: bool, quoted: bool
) -> None:
    def cell(number: float) -> str:
        text = str(number).replace(".", "," if comma and delimiter != "," else ".")
        return f'"{text}"' if quoted else text

    names = ["reward", "propensity", "target_propensity", "shopper"]
    lines = [names, *([cell(reward), cell(0.5), cell(0.25), f"s{row}"] for row, reward in enumerate(rewards))]
    content = "".join(delimiter.join(line) + end for line in lines).encode("utf-8-sig" if bom else "utf-8")
    file.write_bytes(gzip.compress(content) if packed else content)
    rows = read(file)
    assert rows.reward.tolist() == rewards
    assert rows.weight.tolist() == [0.5] * len(rewards)
    assert rows.shoppers is not None
    assert len(set(rows.shoppers.tolist())) == len(rewards)


@several
@given(st.lists(st.sampled_from(["true", "FALSE", "True", "false", "t", "F", "1", "0", "1.0"]), min_size=1))
def test_truth_as_text_is_1_or_0(file: Path, words: list[str]) -> None:
    file.write_text("reward,propensity,target_propensity\n" + "".join(f"{word},1,1\n" for word in words))
    assert read(file).reward.tolist() == [float(word.lower() in {"true", "t", "1", "1.0"}) for word in words]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\nreward,propensity,target_propensity\n1,1,1\n", "line 1 is blank, and must hold the names"),
        (b"  \r\n1,1,1\n", "line 1 is blank"),
        (b'"a,b"\x00,c\n', "column reward: is missing"),
        (
            b"reward,propensity,target_propensity,shopper\n1,1,1,ann\n1,1,1,andr\xe9\n",
            "row 2, column shopper: is 'andré'",
        ),
        (b"reward;propensity;target_propensity\n1,5;1;1\n1.5;1;1\n", "row 2, column reward: is '1.5', and other cells"),
        (b"reward;propensity;target_propensity\n1.000,5;1;1\n", "row 1, column reward: is '1.000,5', not a number"),
        (b'reward,propensity,target_propensity\n"1,5",1,1\n', "row 1, column reward: is '1,5', not a number"),
        (b"reward,propensity,target_propensity\nyesterday,1,1\n", "row 1, column reward: is 'yesterday', not a number"),
        (b"reward,propensity,target_propensity\n1,1,1\n1,1\n", "row 2, column .all.: has 2 cells, the header has 3"),
        (b"reward,propensity,target_propensity\n1,,1\n", "row 1, column propensity: is empty"),
        (b"reward,propensity,target_propensity\n" + b"9" * 400 + b",1,1\n", "row 1, column reward: is "),
        (
            b"reward,propensity,target_propensity,shopper\n1,1,1,ann\n1,1,1,NaN\n",
            "row 2, column shopper: is 'NaN', which",
        ),
        (b"reward,propensity,target_propensity\n1,1,1\nreward,propensity,target_propensity\n", "row 2, column reward"),
    ],
)
def test_what_cannot_be_read_is_named(file: Path, content: bytes, complaint: str) -> None:
    file.write_bytes(content)
    with pytest.raises((BadData, Unreadable), match=f"rows.csv(, |: )({complaint})"):
        read(file)


@pytest.mark.parametrize("content", [b"", b"\n\n", b" ", b"\xef\xbb\xbf", b"reward,propensity,target_propensity\n"])
def test_a_file_without_rows_holds_none(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(NoData, match=r"rows\.csv holds no rows"):
        read(file)


@several
@given(st.binary(max_size=80))
def test_no_bytes_end_in_another_error(file: Path, content: bytes) -> None:
    file.write_bytes(b"reward,propensity,target_propensity\n" + content)
    with suppress(EvaluationError):
        assert np.isfinite(read(file).reward).all()


def test_a_blank_line_is_no_row_in_errors(tmp_path: Path) -> None:
    header = "reward,propensity,target_propensity,shopper\n\n1,1,1,a\n\n"
    for name, row in (("latin", "1,1,1,andr\xe9\n"), ("ragged", "1,1,1\n"), ("text", "1,x,1,a\n")):
        (tmp_path / name).write_bytes((header + row).encode("latin-1"))
        with pytest.raises(BadData, match=f"{name}, row 2, "):
            list(read_batches(tmp_path / name, TableLayout(needs_model=False)))
