"""Plain tables: five numbers per decision, from Parquet or CSV, batch by batch.

A plain table has the columns ``reward``, ``propensity`` and ``target_propensity``; ``q_chosen`` and ``v_target``
where an estimator uses a reward model; and, where there are such, ``shopper``, ``event_id``, ``unsupported`` and
labels to group by. Other names can be mapped to these.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from offline_eval.batch import SCALARS, FloatArray, Labels, LoggedBatch
from offline_eval.errors import BadData, EvaluationError, NoData, NotAvailable

_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_BATCH = 1 << 17
_MODEL = ("q_chosen", "v_target")
_EMPTY = frozenset({"", None})
_NO_NUMBER = (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError)
SHOPPER, UNSUPPORTED, EVENT = "shopper", "unsupported", "event_id"


class Unreadable(EvaluationError):
    """The file cannot be read, or is neither Parquet nor CSV."""


@dataclass(frozen=True)
class Layout:
    """Which columns to take.

    Parameters
    ----------
    needs_model
        Whether the reward model's columns must be there.
    labels
        Columns to group by, which must be there.
    columns
        Our name → the table's name, where they differ.

    Raises
    ------
    NotAvailable
        When ``columns`` maps a name that is none of ours: its column would not be read.
    """

    needs_model: bool = True
    labels: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (*SCALARS, SHOPPER, EVENT, UNSUPPORTED, *self.labels)
        for name in self.columns:
            if name not in known:
                raise NotAvailable(f"{name!r} is no column of ours to map; known are {', '.join(known)}")

    def source(self, name: str) -> str:
        """Give the table's name of a column."""
        return self.columns.get(name, name)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that must be there."""
        scalars = SCALARS if self.needs_model else SCALARS[:3]
        mapped = tuple(name for name in self.columns if name in (SHOPPER, UNSUPPORTED, EVENT))
        return (*scalars, *self.labels, *mapped)


def read_rows(path: Path, layout: Layout | None = None) -> Iterator[LoggedBatch]:
    """Read a plain table as batches of rows, in constant memory.

    Raises
    ------
    Unreadable
        When the file is not there, or is no such table.
    BadData
        When a column is missing, or a value is not what it must be: named by row, counted from 1, and column.
    NoData
        When there are no rows.
    """
    layout = layout or Layout()
    codes: dict[Any, int] = {}
    first = 1
    for batch in read_table(path, layout):
        if len(batch):
            yield _rows(batch, layout, codes, first)
            first += len(batch)
    if first == 1:
        raise NoData(f"{path.name} holds no rows")


def count_rows(path: Path) -> int | None:
    """Tell how many rows a Parquet file has; None for other files, which would have to be read."""
    if not is_parquet(path):
        return None
    with translated(path):
        return int(pyarrow.parquet.ParquetFile(path).metadata.num_rows)


def read_table(path: Path, layout: Layout) -> Iterator[Any]:
    """Read the wanted columns as Arrow batches."""
    with translated(path):
        if is_parquet(path):
            file = pyarrow.parquet.ParquetFile(path)
            wanted = _wanted(file.schema_arrow.names, layout)
            yield from file.iter_batches(_BATCH, columns=wanted)
        else:
            yield from _read_csv(path, layout)


def _read_csv(path: Path, layout: Layout) -> Iterator[Any]:
    names = csv_names(path)
    yield from csv_batches(path, names, _wanted(names, layout))


def csv_names(path: Path) -> list[str]:
    """Read the header of a CSV file, spaces around names left out.

    Raises
    ------
    NoData
        When there is none.
    """
    with pyarrow.input_stream(str(path)) as stream:
        head = stream.read(1 << 20)
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace").strip()
    if not line:
        raise NoData(f"{path.name} holds no rows")
    return [name.strip() for name in next(csv.reader([line], skipinitialspace=True))]


def csv_batches(path: Path, names: Sequence[str], wanted: Sequence[str]) -> Iterator[Any]:
    """Read columns of a CSV file as Arrow batches of text, spaces around cells left out.

    As text: only so can a bad number be named by its row.
    """
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pyarrow.string()), include_columns=wanted, quoted_strings_can_be_null=False
    )
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 23, column_names=names, skip_rows=1)
    for batch in pyarrow.csv.open_csv(path, read_options=options, convert_options=convert):
        trimmed = [pyarrow.compute.utf8_trim_whitespace(column) for column in batch.columns]
        yield pyarrow.RecordBatch.from_arrays(trimmed, schema=batch.schema)


def _wanted(names: Sequence[str], layout: Layout) -> list[str]:
    optional = [name for name in (*_MODEL, SHOPPER, UNSUPPORTED, EVENT) if layout.source(name) in names]
    wanted = list(dict.fromkeys(layout.source(name) for name in (*layout.needed, *optional)))
    check_columns(names, wanted)
    return wanted


def check_columns(names: Sequence[str], wanted: Iterable[str]) -> None:
    """Refuse a table where a column is missing, or stands twice: nobody can tell which one is meant.

    Raises
    ------
    BadData
        Naming it.
    """
    for name in wanted:
        if name not in names:
            raise BadData(name, f"is missing; the table has {', '.join(names) or 'no columns'}")
        if names.count(name) > 1:
            raise BadData(name, "stands twice among the table's columns")


def _rows(batch: Any, layout: Layout, codes: dict[Any, int], first: int) -> LoggedBatch:
    present = set(batch.schema.names)
    scalars: dict[str, Any] = {
        name: _numbers(batch, layout.source(name), first) if layout.source(name) in present else np.zeros(len(batch))
        for name in SCALARS
    }
    own = {name: layout.source(name) for name in (SHOPPER, UNSUPPORTED, EVENT) if layout.source(name) in present}
    rows = LoggedBatch(
        **scalars,
        shoppers=_codes(batch.column(own[SHOPPER]), codes, own[SHOPPER], first) if SHOPPER in own else None,
        unsupported=_numbers(batch, own[UNSUPPORTED], first) if UNSUPPORTED in own else None,
        events=_labels(batch.column(own[EVENT])) if EVENT in own else None,
        labels={name: _labels(batch.column(layout.source(name))) for name in layout.labels},
        first=first,
    )
    rows.check()
    return rows


def _numbers(batch: Any, name: str, first: int) -> FloatArray:
    column = batch.column(name)
    _check_filled(column, name, first)
    try:
        numbers = _as_float(column).to_numpy(zero_copy_only=False)
    except _NO_NUMBER:
        raise _no_number(column, name, first) from None
    return np.asarray(numbers, dtype=np.float64)


def _as_float(column: Any) -> Any:
    # Unsafe only in that whole numbers above 2^53 are rounded, as they are everywhere else.
    return column.cast(pyarrow.float64(), safe=False)


def _no_number(column: Any, name: str, first: int) -> BadData:
    """Find the value that is no number."""
    for place, value in enumerate(column.to_pylist()):
        try:
            _as_float(pyarrow.array([value]))
        except _NO_NUMBER:
            return BadData(name, "is empty" if value == "" else f"is {value!r}, no number", row=first + place)
    return BadData(name, f"holds {column.type}, no numbers")


def _codes(column: Any, codes: dict[Any, int], name: str, first: int) -> Labels:
    """Number the shoppers in the order in which they come: numbers are quicker to sum up by than names."""
    _check_filled(column, name, first)
    try:
        packed = column.dictionary_encode()
    except pyarrow.ArrowNotImplementedError:
        raise BadData(name, f"holds {column.type}, must hold names or numbers") from None
    numbers = np.array([codes.setdefault(each, len(codes)) for each in packed.dictionary.to_pylist()], dtype=np.int64)
    found = np.asarray(numbers[packed.indices.to_numpy(zero_copy_only=False)])
    # A dictionary may hold names that no row has: only what a row has can be bad.
    for nothing in _EMPTY & codes.keys():
        _check_not(found == codes[nothing], name, first)
    return found


def _check_filled(column: Any, name: str, first: int) -> None:
    if column.null_count:
        _check_not(column.is_null().to_numpy(zero_copy_only=False), name, first)


def _check_not(empty: NDArray[np.bool_], name: str, first: int) -> None:
    if empty.any():
        raise BadData(name, "is empty", row=first + int(empty.argmax()))


def _labels(column: Any) -> Labels:
    return np.array(["" if each is None else str(each) for each in column.to_pylist()])


def is_parquet(path: Path) -> bool:
    """Tell a Parquet file by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise Unreadable(f"{path.name}: cannot be read: {error.strerror}") from None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Let no driver error out: each names the file."""
    try:
        yield
    except pyarrow.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise NoData(f"{path.name} holds no rows") from None
        if ragged := _RAGGED.search(str(error)):
            line, cells, found = map(int, ragged.groups())
            # The header is line 1 of the file, so line 2 is the first row.
            raise BadData("(all)", f"has {found} cells, the header has {cells}", row=line - 1) from None
        raise Unreadable(f"{path.name}: {error}") from None
    except (pyarrow.ArrowException, OSError) as error:
        raise Unreadable(f"{path.name}: cannot be read: {error}") from None
