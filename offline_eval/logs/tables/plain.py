"""Plain tables: five numbers per decision, from Parquet or CSV, batch by batch.

A plain table has the columns ``reward``, ``propensity`` and ``target_propensity``; ``q_chosen`` and ``v_target``
where an estimator uses a reward model. The columns ``shopper``, ``event_id``, ``unsupported`` and labels to group by
are optional. A table's names can be mapped to these names.
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

from offline_eval.batch import SCALARS, LoggedBatch
from offline_eval.columns import FloatArray, Labels
from offline_eval.errors import BadData, EvaluationError, NoData, NotAvailable

_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_BATCH = 1 << 17
_MODEL = ("q_chosen", "v_target")
_EMPTY = frozenset({"", None})
_NOT_A_NUMBER = (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError)
SHOPPER, UNSUPPORTED, EVENT = "shopper", "unsupported", "event_id"


class Unreadable(EvaluationError):
    """The file cannot be read, or is neither Parquet nor CSV."""


@dataclass(frozen=True)
class TableLayout:
    """The columns to read.

    Parameters
    ----------
    needs_model
        Whether the reward model's columns are required.
    labels
        Columns to group by, which are required.
    columns
        Our name → the table's name, where they differ.

    Raises
    ------
    NotAvailable
        When ``columns`` maps a name that is not one of our names, so that its column would not be read.
    """

    needs_model: bool = True
    labels: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (*SCALARS, SHOPPER, EVENT, UNSUPPORTED, *self.labels)
        for name in self.columns:
            if name not in known:
                raise NotAvailable(f"{name!r} is not a column of plain tables; known are {', '.join(known)}")

    def source(self, name: str) -> str:
        """Return the table's name of a column."""
        return self.columns.get(name, name)

    @property
    def needed(self) -> tuple[str, ...]:
        """The required columns."""
        scalars = SCALARS if self.needs_model else SCALARS[:3]
        mapped = tuple(name for name in self.columns if name in (SHOPPER, UNSUPPORTED, EVENT))
        return (*scalars, *self.labels, *mapped)


def read_batches(path: Path, layout: TableLayout | None = None) -> Iterator[LoggedBatch]:
    """Yield the batches of a plain table, in constant memory.

    Raises
    ------
    Unreadable
        When the file is not there, or is not such a table.
    BadData
        When a column is missing, or a value is not allowed; the error names row, counted from 1, and column.
    NoData
        When there are no rows.
    """
    layout = layout or TableLayout()
    codes: dict[Any, int] = {}
    first = 1
    for part in read_table(path, layout):
        if len(part):
            yield _to_batch(part, layout, codes, first)
            first += len(part)
    if first == 1:
        raise NoData(f"{path.name} holds no rows")


def count_rows(path: Path) -> int | None:
    """Return the number of rows of a Parquet file; None for other files, which would have to be read."""
    if not is_parquet(path):
        return None
    with translate_errors(path):
        return int(pyarrow.parquet.ParquetFile(path).metadata.num_rows)


def read_table(path: Path, layout: TableLayout) -> Iterator[Any]:
    """Yield the columns of a layout as Arrow batches."""
    with translate_errors(path):
        if is_parquet(path):
            file = pyarrow.parquet.ParquetFile(path)
            wanted = _wanted_columns(file.schema_arrow.names, layout)
            yield from file.iter_batches(_BATCH, columns=wanted)
        else:
            yield from _read_csv(path, layout)


def _read_csv(path: Path, layout: TableLayout) -> Iterator[Any]:
    names = csv_names(path)
    yield from csv_batches(path, names, _wanted_columns(names, layout))


def csv_names(path: Path) -> list[str]:
    """Return the names in the header of a CSV file, without spaces around them.

    Raises
    ------
    NoData
        When there is no header.
    """
    with pyarrow.input_stream(str(path)) as stream:
        head = stream.read(1 << 20)
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace").strip()
    if not line:
        raise NoData(f"{path.name} holds no rows")
    return [name.strip() for name in next(csv.reader([line], skipinitialspace=True))]


def csv_batches(path: Path, names: Sequence[str], wanted: Sequence[str]) -> Iterator[Any]:
    """Yield columns of a CSV file as Arrow batches of text, without spaces around the cells.

    Numbers are read as text, so that an error can name the row of a bad number.
    """
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pyarrow.string()), include_columns=wanted, quoted_strings_can_be_null=False
    )
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 23, column_names=names, skip_rows=1)
    for batch in pyarrow.csv.open_csv(path, read_options=options, convert_options=convert):
        trimmed = [pyarrow.compute.utf8_trim_whitespace(column) for column in batch.columns]
        yield pyarrow.RecordBatch.from_arrays(trimmed, schema=batch.schema)


def _wanted_columns(names: Sequence[str], layout: TableLayout) -> list[str]:
    optional = [name for name in (*_MODEL, SHOPPER, UNSUPPORTED, EVENT) if layout.source(name) in names]
    wanted = list(dict.fromkeys(layout.source(name) for name in (*layout.needed, *optional)))
    check_columns(names, wanted)
    return wanted


def check_columns(names: Sequence[str], wanted: Iterable[str]) -> None:
    """Refuse a table where a column is missing, or stands twice.

    Raises
    ------
    BadData
        The error names the column.
    """
    for name in wanted:
        if name not in names:
            raise BadData(name, f"is missing; the table has {', '.join(names) or 'no columns'}")
        if names.count(name) > 1:
            raise BadData(name, "stands twice among the table's columns")


def _to_batch(part: Any, layout: TableLayout, codes: dict[Any, int], first: int) -> LoggedBatch:
    present = set(part.schema.names)
    scalars: dict[str, Any] = {
        name: _numbers(part, layout.source(name), first) if layout.source(name) in present else np.zeros(len(part))
        for name in SCALARS
    }
    sources = {name: layout.source(name) for name in (SHOPPER, UNSUPPORTED, EVENT) if layout.source(name) in present}
    batch = LoggedBatch(
        **scalars,
        shoppers=_codes(part.column(sources[SHOPPER]), codes, sources[SHOPPER], first) if SHOPPER in sources else None,
        unsupported=_numbers(part, sources[UNSUPPORTED], first) if UNSUPPORTED in sources else None,
        events=_labels(part.column(sources[EVENT])) if EVENT in sources else None,
        labels={name: _labels(part.column(layout.source(name))) for name in layout.labels},
        first=first,
    )
    batch.check()
    return batch


def _numbers(part: Any, name: str, first: int) -> FloatArray:
    column = part.column(name)
    _check_filled(column, name, first)
    try:
        numbers = _as_float(column).to_numpy(zero_copy_only=False)
    except _NOT_A_NUMBER:
        raise _find_bad_number(column, name, first) from None
    return np.asarray(numbers, dtype=np.float64)


def _as_float(column: Any) -> Any:
    # Unsafe only because whole numbers above 2^53 are rounded, as they are in every conversion to float64.
    return column.cast(pyarrow.float64(), safe=False)


def _find_bad_number(column: Any, name: str, first: int) -> BadData:
    """Return the error that names the first value that is not a number."""
    for place, value in enumerate(column.to_pylist()):
        try:
            _as_float(pyarrow.array([value]))
        except _NOT_A_NUMBER:
            return BadData(name, "is empty" if value == "" else f"is {value!r}, not a number", row=first + place)
    return BadData(name, f"holds {column.type}, not numbers")


def _codes(column: Any, codes: dict[Any, int], name: str, first: int) -> Labels:
    """Return a number for each shopper, in the order in which they come: sums by number are faster than by name."""
    _check_filled(column, name, first)
    try:
        packed = column.dictionary_encode()
    except pyarrow.ArrowNotImplementedError:
        raise BadData(name, f"holds {column.type}, must hold names or numbers") from None
    numbers = np.array(
        [codes.setdefault(shopper, len(codes)) for shopper in packed.dictionary.to_pylist()], dtype=np.int64
    )
    shoppers = np.asarray(numbers[packed.indices.to_numpy(zero_copy_only=False)])
    # A dictionary may hold an empty name that no row has, so the rows are checked.
    for empty in _EMPTY & codes.keys():
        _check_none(shoppers == codes[empty], name, first)
    return shoppers


def _check_filled(column: Any, name: str, first: int) -> None:
    if column.null_count:
        _check_none(column.is_null().to_numpy(zero_copy_only=False), name, first)


def _check_none(empty: NDArray[np.bool_], name: str, first: int) -> None:
    if empty.any():
        raise BadData(name, "is empty", row=first + int(empty.argmax()))


def _labels(column: Any) -> Labels:
    return np.array(["" if label is None else str(label) for label in column.to_pylist()])


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise Unreadable(f"{path.name}: cannot be read: {error.strerror}") from None


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise errors of this package, which name the file, instead of the driver's errors."""
    try:
        yield
    except pyarrow.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise NoData(f"{path.name} holds no rows") from None
        if ragged := _RAGGED.search(str(error)):
            line, expected, actual = map(int, ragged.groups())
            # The header is line 1 of the file, so line 2 is the first row.
            raise BadData("(all)", f"has {actual} cells, the header has {expected}", row=line - 1) from None
        raise Unreadable(f"{path.name}: {error}") from None
    except (pyarrow.ArrowException, OSError) as error:
        raise Unreadable(f"{path.name}: cannot be read: {error}") from None
