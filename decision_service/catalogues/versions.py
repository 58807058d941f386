"""Versions of the catalogue. Each version is a row of the log, and the latest one is in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from decision_service.catalogues.collisions import find_collisions
from decision_service.catalogues.file import example
from decision_service.errors import FieldError, Invalid
from decision_service.log.base import Appended, EventLog, NewRow
from decision_service.log.keys import catalogue_key
from decision_service.log.reading import read_rows
from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import CatalogueRow


def latest_catalogue_row(log: EventLog) -> CatalogueRow | None:
    """Return the row of the version in force, or None in a new log."""
    stored = log.find_last(CatalogueRow.kind)
    row = stored.row if stored is not None else None
    return row if isinstance(row, CatalogueRow) else None


def check_catalogue(document: Mapping[str, Any]) -> Catalogue:
    """Check a document that came over HTTP, and return the catalogue that the document holds.

    Raises
    ------
    Invalid
        When the document is not a valid catalogue; the error names every mistake by its path. A catalogue with two
        features that share an index among the weights of a model is not valid either: both features would have one
        weight, and a model could not learn them apart.
    """
    try:
        catalogue = Catalogue.from_document(document)
    except CatalogueError as error:
        errors = [FieldError(mistake.path, mistake.message) for mistake in error.mistakes]
        raise Invalid(f"the catalogue has {len(errors)} mistakes; nothing was changed", errors) from None
    for mistake in find_collisions(catalogue):
        raise Invalid.field(mistake.path, mistake.message)
    return catalogue


def append_catalogue(log: EventLog, catalogue: Catalogue, at: float, source: Literal["file", "api"]) -> int:
    """Append a catalogue to the log unless it equals the latest version, and return its version."""
    while True:
        latest = latest_catalogue_row(log)
        if latest is not None and Catalogue.from_stored(latest.document) == catalogue:
            return latest.version
        row = CatalogueRow(
            at=at, version=(latest.version if latest else 0) + 1, document=catalogue.to_document(), source=source
        )
        (result,) = log.append([NewRow(row, catalogue_key(row.version))])
        if isinstance(result, Appended):
            return row.version
        # Another replica has taken this version number meanwhile: try again with the next number.


def rulebook_at_start(log: EventLog, from_file: Catalogue | None, at: float) -> Rulebook:
    """Put the catalogue that a service starts with into force, and return its rulebook.

    Without a file, the catalogue is the latest one in the log, or the example in a new log. A file that has changed
    since it was last read is appended to the log as a new version. An unchanged file is not appended, so a catalogue
    that was put over HTTP stays in force.
    """
    latest = latest_catalogue_row(log)
    if latest is None or (from_file is not None and from_file != _last_from_file(log)):
        append_catalogue(log, from_file if from_file is not None else example(), at, "file")
        latest = latest_catalogue_row(log)
    if latest is None:
        raise LookupError("the log has lost its catalogue")
    return Rulebook.of(Catalogue.from_stored(latest.document), latest.version)


def _last_from_file(log: EventLog) -> Catalogue | None:
    """Return the latest catalogue that came from a file."""
    rows = (stored.row for stored in read_rows(log, kinds=[CatalogueRow.kind]))
    documents = [row.document for row in rows if isinstance(row, CatalogueRow) and row.source == "file"]
    return Catalogue.from_stored(documents[-1]) if documents else None
