"""Text tables: values with commas, semicolons, tabs or bars between them, and any system's line ends."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.csv

from offline_eval.errors import BadData, NoData, Unreadable
from offline_eval.logs.files import LogFile

_DELIMITERS = ",;\t|"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Header:
    """The names of a text table's columns, and what stands between its cells."""

    names: list[str]
    delimiter: str = ","

    @property
    def may_have_decimal_commas(self) -> bool:
        """Whether a comma in a number is a decimal comma: only where the cells have another delimiter."""
        return self.delimiter != ","


def read_header(file: LogFile) -> Header:
    """Return the header of a text table, without spaces around the names.

    The delimiter is the sign among comma, semicolon, tab and bar that stands most often in the header.

    Raises
    ------
    NoData
        When the file is empty.
    Unreadable
        When the first line does not hold names.
    """
    head = file.head()
    line = _LINE_END.split(head, maxsplit=1)[0].decode(errors="replace").strip(" ")
    if not head.strip():
        raise NoData(f"{file.name} holds no rows")
    if not line.strip():
        raise Unreadable(f"{file.name}: line 1 is blank, and must hold the names of the columns")
    bare = _QUOTED.sub("", line)
    delimiter = max(_DELIMITERS, key=bare.count)
    try:
        names = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise Unreadable(f"{file.name}: line 1 does not hold the names of columns: {error}") from None
    return Header([name.strip() for name in names], delimiter)


def read_text(file: LogFile, header: Header, wanted: Sequence[str]) -> Iterator[Any]:
    """Yield columns of a text table as Arrow batches of text, without spaces around the cells.

    Numbers are read as text, so that an error can name the row of a bad number.

    Raises
    ------
    BadData
        When a cell is not in UTF-8; the error names row and column.
    """
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pyarrow.string()), include_columns=wanted, quoted_strings_can_be_null=False
    )
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 23, column_names=header.names, skip_rows=1)
    parse = pyarrow.csv.ParseOptions(delimiter=header.delimiter)
    with file.open() as stream:
        try:
            for batch in pyarrow.csv.open_csv(
                stream, read_options=options, parse_options=parse, convert_options=convert
            ):
                trimmed = [pyarrow.compute.utf8_trim_whitespace(column) for column in batch.columns]
                yield pyarrow.RecordBatch.from_arrays(trimmed, schema=batch.schema)
        except pyarrow.ArrowInvalid as error:
            if "UTF8" in str(error):
                raise _find_undecodable(file, header, wanted) from None
            raise


def _find_undecodable(file: LogFile, header: Header, wanted: Sequence[str]) -> BadData:
    """Return the error that names the first cell that is not in UTF-8."""
    with file.open() as stream:
        # Latin-1 decodes every byte, so that the cells can be told apart first.
        text = io.TextIOWrapper(stream, encoding="latin-1", newline="")
        rows = filter(None, csv.reader(text, delimiter=header.delimiter))  # a blank line is no row
        for row, cells in enumerate(rows):
            for name, cell in zip(header.names, cells, strict=False):
                if row and name in wanted and not _is_utf8(cell.encode("latin-1")):
                    return BadData(name, f"is {cell.strip()!r} in Latin-1 or a like encoding, not in UTF-8", row)
    return BadData("(all)", "is not in UTF-8")


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
