"""What can be wrong with an evaluation's input or question.

Errors
------
EvaluationError
├── BadData         a value that no log can hold, or a column that is missing: names row and column
├── NoData          nothing to evaluate
└── NotAvailable    the question cannot be answered this way: the text says what would
"""

from __future__ import annotations


class EvaluationError(Exception):
    """An evaluation that cannot be made; nothing was computed."""


class BadData(EvaluationError):
    """A value that no log can hold.

    >>> str(BadData("propensity", "is 0, must be above 0 and at most 1", row=17))
    'row 17, column propensity: is 0, must be above 0 and at most 1'
    >>> str(BadData("shopper", "is missing"))
    'column shopper: is missing'
    """

    def __init__(self, column: str, reason: str, row: int | None = None) -> None:
        where = f"column {column}" if row is None else f"row {row}, column {column}"
        super().__init__(f"{where}: {reason}")
        self.column, self.reason, self.row = column, reason, row


class NoData(EvaluationError):
    """There is nothing to evaluate."""


class NotAvailable(EvaluationError):
    """The question cannot be answered this way."""
