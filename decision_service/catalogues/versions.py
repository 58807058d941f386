"""Versions of the catalogue: each is a row of the log, and the latest is in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from decision_service.catalogues.file import example
from decision_service.errors import FieldError, Invalid
from decision_service.log.base import Conflict, Entry, EventLog
from decision_service.log.keys import catalogue_key
from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Catalogue, CatalogueError
from policies.catalogue.rulebook import Rulebook
from policies.models.compiled import collisions
from policies.models.vw import BITS
from policies.records.rows import CatalogueRow, decode, encode

_ROWS = 1_000


def latest_catalogue(log: EventLog) -> CatalogueRow | None:
    """Give the version in force."""
    stored = log.last_of_kind(CatalogueRow.kind)
    row = decode(stored.body) if stored is not None else None
    return row if isinstance(row, CatalogueRow) else None


def checked(document: Mapping[str, Any]) -> Catalogue:
    """Validate a catalogue that came over HTTP.

    Raises
    ------
    Invalid
        Naming every mistake by its path.
    """
    try:
        catalogue = Catalogue.from_document(document)
    except CatalogueError as error:
        errors = [FieldError(mistake.path, mistake.message) for mistake in error.mistakes]
        raise Invalid(f"the catalogue has {len(errors)} mistakes; nothing was changed", errors) from None
    if colliding := collisions(ActionSpace.of(catalogue), [], BITS):
        raise Invalid.field("messages", f"{colliding} crossed features would share a weight: rename a message")
    return catalogue


def enter_catalogue(log: EventLog, catalogue: Catalogue, at: float, source: Literal["file", "api"]) -> int:
    """Log a catalogue as a new version unless it is the latest already; give its version."""
    while True:
        known = latest_catalogue(log)
        if known is not None and Catalogue.from_document(known.document) == catalogue:
            return known.version
        row = CatalogueRow(at, (known.version if known else 0) + 1, catalogue.to_document(), source)
        (result,) = log.append([Entry(row.kind, at, encode(row), key=catalogue_key(row.version))])
        if not isinstance(result, Conflict):
            return row.version


def catalogue_at_start(log: EventLog, told: Catalogue | None, at: float) -> Rulebook:
    """Give the catalogue that a service starts with.

    Without a file it is the latest in the log, or the example. A file that changed since it was last read
    comes into force; an unchanged one does not undo what was put over HTTP since.
    """
    known = latest_catalogue(log)
    if known is None or (told is not None and told != _last_file(log)):
        enter_catalogue(log, told if told is not None else example(), at, "file")
        known = latest_catalogue(log)
    if known is None:
        raise LookupError("the log has lost its catalogue")
    return Rulebook.of(Catalogue.from_document(known.document), known.version)


def _last_file(log: EventLog) -> Catalogue | None:
    """Give the catalogue that last came from a file."""
    after, found = 0, None
    while rows := log.read(after, _ROWS, [CatalogueRow.kind]):
        after = rows[-1].position
        known = [row for row in map(decode, (each.body for each in rows)) if isinstance(row, CatalogueRow)]
        found = next((row for row in reversed(known) if row.source == "file"), found)
    return None if found is None else Catalogue.from_document(found.document)
