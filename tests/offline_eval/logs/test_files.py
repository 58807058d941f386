"""Files of a log: globs, directories with Hive partitions, standard input, and packed files."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_eval import NotAvailable, Unreadable
from offline_eval.logs.files import LogFile, find_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("day=2/b.csv", "day=2/a.csv", "day=1/a.csv", "_tmp/x.csv", ".crc", "day=1/_SUCCESS"):
        path = tmp_path / "log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "log"


def test_a_directory_is_read_in_the_order_of_its_paths_without_what_is_hidden(folder: Path) -> None:
    files = find_files([str(folder)])
    assert [file.name for file in files] == ["day=1/a.csv", "day=2/a.csv", "day=2/b.csv"]
    assert [dict(file.partitions) for file in files] == [{"day": "1"}, {"day": "2"}, {"day": "2"}]


def test_a_glob_is_read_in_the_order_of_its_matches(folder: Path) -> None:
    files = find_files([str(folder / "day=*" / "a.csv")])
    assert [file.path.parent.name for file in files] == ["day=1", "day=2"]
    assert [dict(file.partitions) for file in files] == [{"day": "1"}, {"day": "2"}]
    assert len(find_files([str(folder / "**" / "[ab].csv")])) == 3


def test_files_keep_the_order_in_which_they_are_named(folder: Path) -> None:
    named = [str(folder / "day=2" / "a.csv"), str(folder / "day=1" / "a.csv")]
    assert [str(file.path) for file in find_files(named)] == named


def test_a_file_that_is_named_twice_is_refused(folder: Path) -> None:
    with pytest.raises(NotAvailable, match=r"a\.csv is named twice: its rows would count twice"):
        find_files([str(folder / "day=1" / "a.csv"), str(folder)])


@pytest.mark.parametrize(
    ("source", "complaint"),
    [("*.none", "no file has such a name"), ("empty", "is a directory without files"), ("gone.csv", "cannot be read")],
)
def test_what_is_not_there_is_named(tmp_path: Path, source: str, complaint: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unreadable, match=f"{source.replace('*', '.')}: {complaint}"):
        find_files([str(tmp_path / source)])[0].head()


def test_files_of_one_name_are_named_by_their_paths(tmp_path: Path) -> None:
    for day in ("1", "2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "rows.csv").write_text("x")
    sources = [str(tmp_path / day / "rows.csv") for day in ("1", "2")]
    assert [file.name for file in find_files(sources)] == sources


def test_a_name_with_brackets_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "rows[1].csv").write_text("x")
    assert find_files([str(tmp_path / "rows[1].csv")])[0].head() == b"x"


def test_partitions_are_decoded_and_may_have_no_value() -> None:
    path = Path("log/city=A%20Coru%C3%B1a/hour=__HIVE_DEFAULT_PARTITION__/=x/y=/part.csv")
    assert LogFile.of(path).partitions == {"city": "A Coruña", "hour": None}


def test_standard_input_can_be_read_twice(tmp_path: Path) -> None:
    (file,) = find_files(["-"], io.BytesIO(b"a\nb\n"))
    assert list(file.lines()) == list(file.lines()) == [b"a", b"b"]
    assert file.name == "standard input"


@given(
    st.lists(st.binary(max_size=9).filter(lambda line: not {10, 13} & {*line})), st.sampled_from(["\n", "\r", "\r\n"])
)
def test_lines_are_those_of_any_system_packed_or_not(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: str
) -> None:
    path = tmp_path_factory.mktemp("lines") / "text"
    content = b"".join(line + end.encode() for line in lines)
    if content.startswith((b"\x1f\x8b", b"\xef\xbb\xbf")):
        return
    for written in (content, gzip.compress(content), b"\xef\xbb\xbf" + content):
        path.write_bytes(written)
        assert list(LogFile.of(path).lines()) == lines


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (bz2.compress(b"x"), "is packed with bzip2: unpack it, or pack it with gzip"),
        (b"PK\x03\x04...", "is packed with zip"),
        ("reward\n".encode("utf-16"), "is in UTF-16: write it in UTF-8"),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], "is damaged"),
    ],
)
def test_other_packers_and_encodings_are_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(Unreadable, match=f"rows.csv: {complaint}"):
        LogFile.of(tmp_path / "rows.csv").head()
