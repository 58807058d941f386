"""Plain tables: five numbers per decision, from Parquet or text, batch by batch.

A plain table has the columns ``reward``, ``propensity`` and ``target_propensity``; ``q_chosen`` and ``v_target``
where an estimator uses a reward model. The columns ``shopper``, ``event_id``, ``unsupported`` and labels to group by
are optional. A table's names can be mapped to these names. Directories of Hive partitions are columns too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offline_eval.batch import MODEL, SCALARS, LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.errors import BadData, NoData, NotAvailable
from offline_eval.logs.files import LogFile
from offline_eval.logs.tables.cells import Constants, add_constants, to_codes, to_events, to_labels, to_numbers
from offline_eval.logs.tables.delimited import read_header, read_text
from offline_eval.logs.tables.opening import is_parquet, open_parquet, translate_errors

_BATCH = 1 << 17
SHOPPER, UNSUPPORTED, EVENT = "shopper", "unsupported", "event_id"


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

    def find_columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns to read from a table with columns of these names.

        Raises
        ------
        BadData
            When a required column is missing, or a wanted one stands twice; the error names the column.
        """
        optional = [name for name in (*MODEL, SHOPPER, UNSUPPORTED, EVENT) if self.source(name) in names]
        wanted = list(dict.fromkeys(self.source(name) for name in (*self.needed, *optional)))
        check_columns(names, wanted)
        return wanted


@dataclass(frozen=True)
class _Part:
    """Rows of one file as an Arrow batch, with the number of the first row in the file.

    ``before`` is the number of rows in the files before.
    """

    columns: Any
    first: int
    decimal_commas: bool
    before: int


def read_batches(
    source: Path | LogFile | Sequence[LogFile], layout: TableLayout | None = None
) -> Iterator[LoggedBatch]:
    """Yield the batches of a plain table, of one file or of several, in constant memory.

    Raises
    ------
    Unreadable
        When a file is not there, or is not such a table.
    BadData
        When a column is missing, or a value is not allowed; the error names file, row (counted from 1) and column.
    NoData
        When there are no rows.
    """
    files = _as_files(source)
    layout = layout or TableLayout()
    codes: dict[Any, int] = {}
    seen: dict[str, list[str]] = {}
    rows = 0
    for file in files:
        before = rows
        with translate_errors(file):
            for part in _read_parts(file, layout, before):
                _check_alike(seen, file, part, layout.source(SHOPPER))
                rows += len(part.columns)
                yield _to_batch(part, layout, codes)
    if not seen:
        raise NoData(f"{', '.join(file.name for file in files)} holds no rows")


def _as_files(source: Path | LogFile | Sequence[LogFile]) -> Sequence[LogFile]:
    if isinstance(source, Path):
        return [LogFile.of(source)]
    return [source] if isinstance(source, LogFile) else source


def _check_alike(seen: dict[str, list[str]], file: LogFile, part: _Part, shopper: str) -> None:
    """Refuse files with other columns than the first one.

    Rows with and without a shopper do not mix, nor do shoppers that are numbers with shoppers that are names.
    """
    schema = part.columns.schema
    columns = sorted(
        f"{name} (text)" if name == shopper and _is_text(schema.field(name)) else name for name in schema.names
    )
    seen.setdefault(file.name, columns)
    first, expected = next(iter(seen.items()))
    if columns != expected:
        raise BadData("(all)", f"has {', '.join(columns)}, but {first} has {', '.join(expected)}")


def _is_text(field: Any) -> bool:
    kind = getattr(field.type, "value_type", field.type)  # the type of a dictionary's values
    return str(kind) in ("string", "large_string", "string_view")


def count_rows(files: Sequence[LogFile]) -> int | None:
    """Return the number of rows of files of Parquet; None for other files, which would have to be read."""
    if not all(is_parquet(file) for file in files):
        return None
    counts = []
    for file in files:
        with translate_errors(file):
            counts.append(int(open_parquet(file).metadata.num_rows))
    return sum(counts)


def _read_parts(file: LogFile, layout: TableLayout, before: int) -> Iterator[_Part]:
    first = 1
    for columns, decimal_commas in _read_columns(file, layout):
        if len(columns):
            yield _Part(columns, first, decimal_commas, before)
            first += len(columns)


def _read_columns(file: LogFile, layout: TableLayout) -> Iterator[tuple[Any, bool]]:
    """Yield the columns of a layout as Arrow batches, and whether their numbers may have decimal commas."""
    if is_parquet(file):
        parquet = open_parquet(file)
        inside, added = _share_columns(parquet.schema_arrow.names, file, layout)
        for batch in parquet.iter_batches(_BATCH, columns=inside):
            yield add_constants(batch, added), False
        return
    header = read_header(file)
    inside, added = _share_columns(header.names, file, layout)
    for batch in read_text(file, header, inside):
        yield add_constants(batch, added), header.may_have_decimal_commas


def _share_columns(names: Sequence[str], file: LogFile, layout: TableLayout) -> tuple[list[str], Constants]:
    """Return the wanted columns that a file has, and those that its directories have, with their values."""
    constants = {name: value for name, value in file.partitions.items() if name not in names}
    wanted = layout.find_columns([*names, *constants])
    inside = [name for name in wanted if name not in constants]
    return inside, {name: value for name, value in constants.items() if name in wanted}


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


def _to_batch(part: _Part, layout: TableLayout, codes: dict[Any, int]) -> LoggedBatch:
    columns = part.columns
    names = {name: layout.source(name) for name in (*SCALARS, SHOPPER, UNSUPPORTED, EVENT)}
    sources = {name: source for name, source in names.items() if source in columns.schema.names}

    def numbers(name: str) -> FloatArray:
        column = columns.column(sources[name])
        return to_numbers(column, sources[name], part.first, decimal_commas=part.decimal_commas)

    zeros = np.zeros(len(columns))
    scalars: dict[str, Any] = {name: numbers(name) if name in sources else zeros for name in SCALARS}
    shoppers = (
        to_codes(columns.column(sources[SHOPPER]), codes, sources[SHOPPER], part.first) if SHOPPER in sources else None
    )
    batch = LoggedBatch(
        **scalars,
        shoppers=shoppers,
        unsupported=numbers(UNSUPPORTED) if UNSUPPORTED in sources else None,
        events=to_events(columns.column(sources[EVENT]), part.before + part.first) if EVENT in sources else None,
        labels={name: to_labels(columns.column(layout.source(name))) for name in layout.labels},
        absent=tuple(name for name in MODEL if name not in sources),
        first=part.first,
    )
    batch.check()
    return batch
