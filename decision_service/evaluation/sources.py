"""Sources: what is evaluated, as batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.verdict import Reason
from offline_eval.errors import NotAvailable
from offline_eval.question import Question
from offline_eval.rows import Rows
from offline_eval.tables import Layout, count_rows, read_rows


class Source(Protocol):
    """Where rows come from."""

    name: str
    rows: int | None
    """How many there are, where that is known beforehand."""

    def batches(self) -> Iterator[Rows]:
        """Give the rows; may raise every `EvaluationError`."""
        ...

    def findings(self) -> list[Reason]:
        """Tell what the verdict must weigh besides the rows, after they were read."""
        ...

    @property
    def served(self) -> ServedFrequencies | None:
        """Served frequencies, where whole distributions were logged."""
        ...


@dataclass(frozen=True)
class Asked:
    """What the command line says about the source."""

    source: str
    target: str | None = None
    against: str | None = None
    columns: str = ""
    model: str = "logistic"
    registry: str | None = None


class PlainTable:
    """A table of the five numbers."""

    def __init__(self, path: Path, layout: Layout, against: str | None) -> None:
        if against not in (None, "logging"):
            raise NotAvailable("a plain table knows one other policy only: --against logging")
        self.name = path.name
        self.rows = count_rows(path)
        self.served = None
        self._path, self._layout, self._against = path, layout, against

    def batches(self) -> Iterator[Rows]:
        """Read the table."""
        for rows in read_rows(self._path, self._layout):
            yield rows if self._against is None else replace(rows, against=rows.as_logging())

    def findings(self) -> list[Reason]:
        """Know nothing more."""
        return []


def open_source(asked: Asked, question: Question) -> Source:
    """Open what the command line names.

    Raises
    ------
    EvaluationError
        When there is no such source, or it cannot be evaluated this way.
    """
    layout = Layout(question.needs_model, question.by, mapping(asked.columns))
    return PlainTable(Path(asked.source), layout, asked.against)


def mapping(text: str) -> Mapping[str, str]:
    """Read a mapping of columns.

    >>> mapping("reward=clicked, shopper=user")
    {'reward': 'clicked', 'shopper': 'user'}
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(equals and own.strip() and theirs.strip() for own, equals, theirs in pairs):
        raise NotAvailable(f"--columns is a list of ours=theirs, not {text!r}")
    return {own.strip(): theirs.strip() for own, _, theirs in pairs}
