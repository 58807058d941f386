"""Columns: from anything that NumPy reads to checked arrays, with errors that name row and column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_eval.errors import BadData, RowLabel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Labels = NDArray[Any]

TOLERANCE = 1e-6
"""How far a probability or a sum of probabilities may be from 1: writers of float32 round each by some 1e-7."""


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array that cannot be written to, nor be made writable.

    >>> read_only(np.zeros(2)).flags.writeable
    False
    """
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array.view()


def to_floats(values: Any, column: str, first: int = 1) -> FloatArray:
    """Return a column of numbers of any type as float64; ``first`` is the number of its first row.

    Raises
    ------
    BadData
        Naming row and column of the first value that is not a number.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise _find_bad_number(values, column, first) from None


def _find_bad_number(values: Any, column: str, first: int) -> BadData:
    for place, value in enumerate(values if np.iterable(values) else [values]):
        try:
            float(value)
        except OverflowError:
            return BadData(column, "is too large for a number", row=first + place)
        except (TypeError, ValueError):
            return BadData(column, f"is {value!r}, not a number", row=first + place)
    return BadData(column, "holds no numbers")


def to_names(values: Any, column: str) -> Labels:
    """Return a column of names or numbers; a column of Python objects becomes text, which NumPy compares faster.

    Raises
    ------
    BadData
        Naming row and column of the first value that names nobody: such rows are not rows of one shopper.
    """
    names = np.asarray(values)
    place = _find_unknown(names.ravel())
    if place is not None:
        name = names.ravel()[place]
        raise BadData(column, describe_unknown(name), row=1 + place)
    return names.astype(str) if names.dtype == object else names


def _find_unknown(names: Labels) -> int | None:
    """Return the place of the first name that names nobody; None where every name does."""
    kind = names.dtype.kind
    if kind in "iub":
        return None
    if kind in "mM":
        unknown = np.isnat(names)
    elif kind in "fc":
        unknown = np.isnan(names)
    else:
        unknown = np.array([is_unknown(name) for name in names.tolist()], dtype=np.bool_)
    return int(unknown.argmax()) if unknown.any() else None


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


def describe_unknown(name: Any) -> str:
    """Return what an error says about a name that `is_unknown`."""
    is_text = isinstance(name, str) and name.strip()
    return f"is {str(name)!r}, which names nobody" if is_text else "is empty"


def to_labels(values: Any) -> Labels:
    """Return a column of labels; as text where some are Python objects or missing, and empty for missing ones.

    >>> to_labels([1.0, float("nan")]).tolist(), to_labels([1, 2]).tolist()
    (['1.0', ''], [1, 2])
    """
    labels = np.asarray(values)
    if labels.dtype.kind in "iubUS" or (labels.dtype.kind == "f" and not np.isnan(labels).any()):
        return labels
    texts = [
        "" if not isinstance(label, str) and is_unknown(label) else str(label) for label in labels.ravel().tolist()
    ]
    return np.array(texts, dtype=str).reshape(labels.shape)


def check_length(column: Labels, name: str, count: int) -> None:
    """Refuse a column that does not hold one value per row.

    Raises
    ------
    BadData
        Naming the column.
    """
    if column.ndim != 1:
        raise BadData(name, f"has the shape {column.shape}, must hold one value per row")
    if len(column) != count:
        raise BadData(name, f"has {len(column)} values, reward has {count}")


def check_range(column: FloatArray, name: str, low: float, high: float, rule: str, first: int) -> None:
    """Refuse a value outside [low, high], NaN included; ``rule`` says what is allowed.

    Raises
    ------
    BadData
        Naming row and column of the first such value.
    """
    # The extremes first, because nearly every block is sound; a NaN makes both of them NaN, and fails.
    if not (column.min() >= low and column.max() <= high):
        bad = int(np.flatnonzero(~((column >= low) & (column <= high)))[0])
        raise BadData(name, f"is {column[bad]:.9g}, {rule}", row=first + bad)


def check_distribution(probabilities: FloatArray, column: str, row: RowLabel) -> None:
    """Refuse values that are not probabilities, or do not sum to 1.

    Raises
    ------
    BadData
        Naming row and column.
    """
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all()):
        raise BadData(column, "holds a value that is not a probability", row)
    total = float(probabilities.sum())
    if abs(total - 1.0) > TOLERANCE:
        raise BadData(column, f"sums to {total:.9g}, must sum to 1", row)
