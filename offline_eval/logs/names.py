"""Names of shoppers and events: which cells name nobody."""

from __future__ import annotations

from typing import Any

UNKNOWN = frozenset({"", "nan", "NaN", "NAN", "NaT", "NA", "<NA>", "N/A", "#N/A", "None", "null", "NULL"})
"""Texts that stand for an unknown name in what pandas, R and databases write."""


def is_unknown(name: Any) -> bool:
    """Return whether a cell names nobody: None, NaN, NaT, NA, or one of the texts that stand for them.

    Rows without a name must not be taken as rows of one shopper.

    >>> [is_unknown(name) for name in ("ann", 0, "", None, float("nan"), "NaT")]
    [False, False, True, True, True, True]
    """
    if name is None or (isinstance(name, str) and name.strip() in UNKNOWN):
        return True
    try:
        return bool(name != name)  # NaN and NaT differ from themselves
    except (TypeError, ValueError):  # the comparison of a missing value of pandas is missing too
        return True
