"""The errors of an evaluation's input or question.

Errors
------
EvaluationError
├── BadData         a value that no log can hold, or a column that is missing: names file, row and column
├── NoData          there is nothing to evaluate
├── Unreadable      a file cannot be read, or is of another kind
└── NotAvailable    the question cannot be answered in this way: the text names a way that works
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

RowLabel = int | str
"""The place of a row: its number, counted from 1, or a name where the rows of a log have no numbers."""


class EvaluationError(Exception):
    """The evaluation cannot be made; nothing was computed."""


class BadData(EvaluationError):
    """A value that no log can hold.

    >>> str(BadData("propensity", "is 0, must be above 0 and at most 1", row=17, file="rows.csv"))
    'rows.csv, row 17, column propensity: is 0, must be above 0 and at most 1'
    >>> str(BadData("drawn", "is 77", row="event 'e-5'"))
    "event 'e-5', column drawn: is 77"
    >>> str(BadData("shopper", "is missing"))
    'column shopper: is missing'
    """

    def __init__(self, column: str, reason: str, row: RowLabel | None = None, file: str = "") -> None:
        places = (file, f"row {row}" if isinstance(row, int) else row, f"column {column}")
        super().__init__(f"{', '.join(place for place in places if place)}: {reason}")
        self.column, self.reason, self.row, self.file = column, reason, row, file


class NoData(EvaluationError):
    """There is nothing to evaluate."""


class Unreadable(EvaluationError):
    """A file cannot be read, or is of another kind."""


class NotAvailable(EvaluationError):
    """The question cannot be answered in this way."""


@contextmanager
def name_file(file: str) -> Iterator[None]:
    """Add the name of a file to the `BadData` that is raised while the file is read."""
    try:
        yield
    except BadData as error:
        if error.file:
            raise
        raise BadData(error.column, error.reason, error.row, file) from error.__cause__
