"""What a file is: an exported log, dsjson or a plain table, by its content; what else it may be is said by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from offline_eval.errors import NotAvailable, Unreadable
from offline_eval.logs.files import LogFile
from offline_eval.logs.tables.log import is_log
from offline_eval.logs.tables.opening import is_parquet

_VW_TEXT = re.compile(rb"^((ccb |slates )?(shared|action|slot)\b[^|]*|[-+\d.:eE \t]*('\S*)?)\s*\|[^|\s]*\s")
_JSON_ARRAY = re.compile(rb"\s*\[\s*\{")
_BINARY = {
    b"SQLite format 3": "an SQLite database: name its directory, or its URL (sqlite:///FILE)",
    b"ARROW1": "Arrow's IPC format: write it as Parquet",
    b"ORC": "ORC: write it as Parquet",
    b"Obj\x01": "Avro: write it as Parquet",
    b"\x89HDF": "HDF5: write it as Parquet",
}


class Kind(Enum):
    """What a file is."""

    log = "a log exported by this service"
    dsjson = "dsjson"
    parquet = "a plain table in Parquet"
    text = "a plain table in text"


def find_kind(files: Sequence[LogFile]) -> Kind:
    """Return what some files are.

    Raises
    ------
    Unreadable
        When a file cannot be read, or is something else.
    NotAvailable
        When the files are not of one kind.
    """
    kinds = [_find_kind(file) for file in files]
    for file, kind in zip(files, kinds, strict=True):
        if kind is not kinds[0]:
            both = f"{files[0].name} is {kinds[0].value}, {file.name} is {kind.value}"
            raise NotAvailable(f"{both}: evaluate them one by one")
    return kinds[0]


def _find_kind(file: LogFile) -> Kind:
    if is_parquet(file):
        return Kind.log if is_log(file) else Kind.parquet
    head = file.head()
    for magic, name in _BINARY.items():
        if head.startswith(magic):
            raise Unreadable(f"{file.name}: is {name}")
    if _JSON_ARRAY.match(head):
        raise Unreadable(f"{file.name}: is one JSON array: write one object per line")
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    without_checkpoints = [line for line in lines if not line.startswith(b"[")]
    if without_checkpoints and without_checkpoints[0].startswith(b"{"):
        return Kind.dsjson
    if ".dsjson" in file.path.suffixes:
        return Kind.dsjson
    if lines and _VW_TEXT.match(lines[0]):
        problem = "which holds no distribution of the logging policy: log in dsjson"
        raise Unreadable(f"{file.name}: is in Vowpal Wabbit's text format, {problem}")
    return Kind.text
