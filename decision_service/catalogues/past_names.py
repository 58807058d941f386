"""The names of channels and categories that some version of the catalogue had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from decision_service.log.base import EventLog
from decision_service.log.reading import read_rows
from policies.records.rows import CatalogueRow


class PastNames:
    """Remembers every name that a version of the catalogue had; the log is read only for a name not met before.

    Parameters
    ----------
    log
        Where the versions are.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._read_up_to = 0
        self._channels: set[str] = set()
        self._categories: set[str] = set()

    def look(self) -> None:
        """Read the versions that were written since the last look.

        Raises
        ------
        LogUnavailable
            When the log cannot be read.
        """
        for stored in read_rows(self._log, self._read_up_to, kinds=(CatalogueRow.kind,)):
            if isinstance(stored.row, CatalogueRow):
                self._channels.update(_names(stored.row.document, "channels"))
                self._categories.update(_names(stored.row.document, "categories"))
                self._categories.update(part["category"] for _, part in _parts(stored.row.document, "messages"))
            self._read_up_to = stored.position

    def had_channel(self, name: str) -> bool:
        """Return whether a version that was read had a channel of this name."""
        return name in self._channels

    def had_category(self, name: str) -> bool:
        """Return whether a version that was read had a category of this name."""
        return name in self._categories


def _parts(document: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from (document.get(key) or {}).items()


def _names(document: Mapping[str, Any], key: str) -> Iterator[str]:
    for name, part in _parts(document, key):
        yield name
        yield from part.get("formerly") or ()
