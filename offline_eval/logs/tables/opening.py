"""Opening tables: Parquet by its first bytes, and the driver's errors as errors of this package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow
import pyarrow.parquet

from offline_eval.errors import BadData, NoData, Unreadable, name_file
from offline_eval.logs.files import LogFile

_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_MAGIC = b"PAR1"


def is_parquet(file: LogFile) -> bool:
    """Return whether a file is Parquet, by its first bytes.

    Raises
    ------
    Unreadable
        When the file cannot be read, or is Parquet that is packed once more.
    """
    if not file.head().startswith(_MAGIC):
        return False
    if file.is_packed:
        raise Unreadable(f"{file.name}: is Parquet packed with gzip: unpack it, because Parquet is read in parts")
    return True


def open_parquet(file: LogFile) -> Any:
    """Open a file of Parquet."""
    return pyarrow.parquet.ParquetFile(file.path)


@contextmanager
def translate_errors(file: LogFile) -> Iterator[None]:
    """Raise errors of this package, which name the file, instead of the driver's errors."""
    with name_file(file.name):
        try:
            yield
        except pyarrow.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                raise NoData(f"{file.name} holds no rows") from None
            if ragged := _RAGGED.search(str(error)):
                line, expected, actual = map(int, ragged.groups())
                # The header is line 1 of the file, so line 2 is the first row.
                raise BadData("(all)", f"has {actual} cells, the header has {expected}", row=line - 1) from None
            raise Unreadable(f"{file.name}: {error}") from None
        except (pyarrow.ArrowException, OSError) as error:
            raise Unreadable(f"{file.name}: cannot be read: {error}") from None
