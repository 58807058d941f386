"""The errors of an evaluation's input or question.

Errors
------
EvaluationError
├── BadData         a value that no log can hold, or a column that is missing: names row and column
├── NoData          there is nothing to evaluate
└── NotAvailable    the question cannot be answered in this way: the text names a way that works
"""

from __future__ import annotations

RowLabel = int | str
"""The place of a row: its number, counted from 1, or a name where the rows of a log have no numbers."""


class EvaluationError(Exception):
    """The evaluation cannot be made; nothing was computed."""


class BadData(EvaluationError):
    """A value that no log can hold.

    >>> str(BadData("propensity", "is 0, must be above 0 and at most 1", row=17))
    'row 17, column propensity: is 0, must be above 0 and at most 1'
    >>> str(BadData("drawn", "is 77", row="event 'e-5'"))
    "event 'e-5', column drawn: is 77"
    >>> str(BadData("shopper", "is missing"))
    'column shopper: is missing'
    """

    def __init__(self, column: str, reason: str, row: RowLabel | None = None) -> None:
        where = f"row {row}, " if isinstance(row, int) else f"{row}, " if row else ""
        super().__init__(f"{where}column {column}: {reason}")
        self.column, self.reason, self.row = column, reason, row


class NoData(EvaluationError):
    """There is nothing to evaluate."""


class NotAvailable(EvaluationError):
    """The question cannot be answered in this way."""
