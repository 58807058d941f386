"""URLs of SQLite databases. Only here a path becomes part of a URL, or a URL the path of a file.

In a URL ``%``, ``?``, ``#`` and others have a meaning of their own, so a path is quoted.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote

_PREFIX = "sqlite:///"

LONGEST_PATH = 504
"""Bytes of the longest path that SQLite opens: with ``-journal`` the path has 512."""


def make_url(file: Path) -> str:
    """Return the URL of a database file.

    >>> make_url(Path("/srv/50% off/decisions.sqlite"))
    'sqlite:////srv/50%25%20off/decisions.sqlite'
    """
    return _PREFIX + quote(os.fsencode(file))


def find_file(url: str) -> Path | None:
    """Return the file of a database URL; None for the URL of another database, or of none.

    >>> find_file("sqlite:////srv/50%25 off/decisions.sqlite")
    PosixPath('/srv/50% off/decisions.sqlite')
    >>> find_file("sqlite://"), find_file("sqlite:///:memory:"), find_file("sqlite:///log?mode=ro")
    (None, None, None)
    """
    path = url.removeprefix(_PREFIX)
    if path == url or path in ("", ":memory:") or "?" in path:
        return None
    return Path(unquote(path, errors="surrogateescape"))


def beside(url: str, suffix: str) -> Path:
    """Return the path of a file beside a database file, which has this suffix."""
    file = find_file(url)
    if file is None:
        raise ValueError(f"{url} names no file")
    return file.with_name(file.name + suffix)
