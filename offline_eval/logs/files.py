"""The files of a log: one file, several, a glob, a directory of partitions, or standard input.

Packed files are recognised by their first bytes, whatever their name is.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from offline_eval.errors import NotAvailable, Unreadable

STANDARD_INPUT = "-"
_HEAD = 1 << 16
_GZIP = b"\x1f\x8b"
_OTHER_PACKERS = {b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_BOM = b"\xef\xbb\xbf"
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class LogFile:
    """A file with its name in errors, and the columns that its directories name.

    ``partitions`` are the values of Hive partitions: ``day=2026-11-21/part-0.parquet`` has the column ``day``; None is
    the value of a partition without one. ``held`` keeps a temporary file as long as the log is used.

    Examples
    --------
    >>> LogFile.of(Path("log/day=2026-11-21/part-0.parquet")).partitions
    {'day': '2026-11-21'}
    """

    path: Path
    name: str
    partitions: Mapping[str, str | None] = field(default_factory=dict)
    held: Any = None

    @classmethod
    def of(cls, path: Path, name: str = "") -> LogFile:
        """Take a file from its path; its name in errors is the name of the file, unless another is given."""
        parts = [part.partition("=") for part in path.parts[:-1] if "=" in part.strip("=")]
        values = {unquote(key): None if value == _NO_VALUE else unquote(value) for key, _, value in parts}
        return cls(path, name or path.name, values)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading, unpacked.

        Raises
        ------
        Unreadable
            When the file cannot be read, also while the caller reads.
        """
        try:
            with self.path.open("rb") as packed:
                start = packed.read(4)
                packed.seek(0)
                if not start.startswith(_GZIP):
                    yield packed
                    return
                with gzip.open(packed) as unpacked:
                    yield cast(BinaryIO, unpacked)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(f"{self.name}: is damaged: {error}") from None
        except OSError as error:
            raise Unreadable(f"{self.name}: cannot be read: {error.strerror or error}") from None

    @property
    def is_packed(self) -> bool:
        """Whether the bytes of the file differ from the bytes that `open` reads."""
        with self.path.open("rb") as file:
            return file.read(2) == _GZIP

    def head(self) -> bytes:
        """Return the first bytes, unpacked and without a byte-order mark.

        Raises
        ------
        Unreadable
            When the file cannot be read, is packed in another way than gzip, or is not in UTF-8.
        """
        with self.open() as file:
            head = file.read(_HEAD)
        for start, packer in _OTHER_PACKERS.items():
            if head.startswith(start):
                raise Unreadable(f"{self.name}: is packed with {packer}: unpack it, or pack it with gzip")
        for start, encoding in _WIDE.items():
            if head.startswith(start):
                raise Unreadable(f"{self.name}: is in {encoding}: write it in UTF-8")
        return head.removeprefix(_BOM)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of a text without their ends, which may be those of any system.

        Raises
        ------
        Unreadable
            When the file cannot be read.
        """
        with self.open() as file:
            first = True
            for line in file:
                yield from (line.removeprefix(_BOM) if first else line).splitlines()
                first = False


def find_files(sources: Sequence[str], standard_input: BinaryIO | None = None) -> list[LogFile]:
    """Return the files of some sources in their order: files, globs, directories, or ``-`` for standard input.

    Files of the same name are named by their paths.

    Below a directory all files count whose path has no part that begins with a dot or an underscore, in the order of
    their paths.

    Raises
    ------
    Unreadable
        When a source has no file.
    NotAvailable
        When a file is named twice, because its rows would count twice.
    """
    files = [file for source in sources for file in _find(source, standard_input)]
    seen = set()
    for file in files:
        if (path := file.path.resolve()) in seen:
            raise NotAvailable(f"{file.name} is named twice: its rows would count twice")
        seen.add(path)
    counts = Counter(file.name for file in files)
    return [replace(file, name=str(file.path)) if counts[file.name] > 1 else file for file in files]


def _find(source: str, standard_input: BinaryIO | None) -> list[LogFile]:
    if source == STANDARD_INPUT:
        if standard_input is None:
            raise Unreadable("there is no standard input")
        return [_spool(standard_input)]
    path = Path(source)
    if path.exists() or not has_magic(source):
        return _below(path)
    matches = [file for match in sorted(glob(source, recursive=True)) for file in _below(Path(match), match)]
    if not matches:
        raise Unreadable(f"{source}: no file has such a name")
    return matches


def _below(path: Path, name: str = "") -> list[LogFile]:
    if not path.is_dir():
        return [LogFile.of(path, name)]
    inside = [file for file in sorted(path.rglob("*")) if file.is_file()]
    names = {file: file.relative_to(path) for file in inside}
    shown = [file for file in inside if not any(part.startswith((".", "_")) for part in names[file].parts)]
    if not shown:
        raise Unreadable(f"{path}: is a directory without files, and without a log of the service")
    return [LogFile.of(file, names[file].as_posix()) for file in shown]


def _spool(stream: BinaryIO) -> LogFile:
    """Copy a stream to a temporary file: a log is read more than once."""
    held = tempfile.NamedTemporaryFile(prefix="evaluate-")  # noqa: SIM115 - it lives as long as the log is used
    shutil.copyfileobj(stream, held)
    held.flush()
    return LogFile(Path(held.name), "standard input", held=held)
