"""Kinds of files: told by their content, and by name where they are none that is evaluated."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from offline_eval import NotAvailable, Unreadable
from offline_eval.logs.files import LogFile
from offline_eval.logs.kinds import Kind, find_kind

EVENT = b'{"_label_cost": 0}\n'


def kind_of(path: Path, content: bytes) -> Kind:
    path.write_bytes(content)
    return find_kind([LogFile.of(path)])


@pytest.mark.parametrize("name", ["log.dsjson", "log.json", "log.txt", "log.csv", "log"])
@pytest.mark.parametrize(
    "content",
    [EVENT, b" \n" + EVENT, b"\xef\xbb\xbf" + EVENT, b"[CHECKPOINT]\r\n" + EVENT, gzip.compress(EVENT, mtime=0)],
)
def test_dsjson_is_recognised_by_its_content(tmp_path: Path, name: str, content: bytes) -> None:
    assert kind_of(tmp_path / name, content) is Kind.dsjson


@pytest.mark.parametrize(
    "content", [b"reward,propensity\n", b"reward|propensity\n", b"\n", b"", gzip.compress(b"a,b\n", mtime=0)]
)
def test_what_is_nothing_else_is_a_text_table(tmp_path: Path, content: bytes) -> None:
    assert kind_of(tmp_path / "rows", content) is Kind.text


@pytest.mark.parametrize(
    "line",
    [
        "shared |s city_vigo",
        "ccb shared |s x",
        "slates shared 0 |s x",
        "1:-1:0.5 | a b",
        "|a x:1 y",
        "0:1:0.25 'tag |a x",
        "1 2.0 |price:3 a",
        "-1 | a",
    ],
)
def test_the_text_format_of_vowpal_wabbit_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(Unreadable, match=r"log\.dat: is in Vowpal Wabbit's text format"):
        kind_of(tmp_path / "log.dat", f"{line}\n|a y\n".encode())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'[\n {"a": 1},\n {"a": 2}]', "is one JSON array: write one object per line"),
        (b"SQLite format 3\x00", "is an SQLite database: name its directory"),
        (b"ARROW1\x00\x00", "is Arrow's IPC format: write it as Parquet"),
        (gzip.compress(b"PAR1....", mtime=0), "is Parquet packed with gzip: unpack it"),
    ],
)
def test_what_cannot_be_evaluated_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(Unreadable, match=f"log: {complaint}"):
        kind_of(tmp_path / "log", content)


def test_files_of_two_kinds_are_refused(tmp_path: Path) -> None:
    table, log = tmp_path / "a.parquet", tmp_path / "b.dsjson"
    pyarrow.parquet.write_table(pyarrow.table({"reward": [1.0]}), table)
    log.write_bytes(EVENT)
    complaint = r"a\.parquet is a plain table in Parquet, b\.dsjson is dsjson: evaluate them one by one"
    with pytest.raises(NotAvailable, match=complaint):
        find_kind([LogFile.of(table), LogFile.of(log)])
