"""Cells of tables as numbers, labels, and codes of shoppers, with errors that name row and column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from offline_eval.columns import FloatArray, Labels, describe_unknown, is_unknown
from offline_eval.errors import BadData

Constants = Mapping[str, str | None]
"""Columns with one text in all rows, by name."""

_NOT_A_NUMBER = (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError)
_WORDS = {"true": "1", "t": "1", "false": "0", "f": "0"}
"""Truth as text, as pandas, R and databases write it."""

_DECIMAL_COMMA = r"^[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?$"


def to_numbers(column: Any, name: str, first: int, *, decimal_commas: bool = False) -> FloatArray:
    """Return a column as numbers; truth counts as 1 and 0.

    Parameters
    ----------
    first
        The number of the column's first row.
    decimal_commas
        Whether a comma in a number is a decimal comma.

    Raises
    ------
    BadData
        Naming row and column of the first cell that is no number.
    """
    _check_filled(column, name, first)
    try:
        numbers = _as_float(column)
    except _NOT_A_NUMBER:
        if not (pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type)):
            raise _find_bad_number(column, name, first) from None
        numbers = _text_as_float(column, name, first, decimal_commas)
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)


def _as_float(column: Any) -> Any:
    # Unsafe only because whole numbers above 2^53 are rounded, as they are in every conversion to float64.
    return column.cast(pyarrow.float64(), safe=False)


def _text_as_float(column: Any, name: str, first: int, decimal_commas: bool) -> Any:
    plain = column
    if decimal_commas:
        has_comma = pyarrow.compute.match_substring_regex(plain, _DECIMAL_COMMA)
        has_point = pyarrow.compute.match_substring(plain, ".").to_numpy(zero_copy_only=False)
        if has_point.any() and has_comma.to_numpy(zero_copy_only=False).any():
            place = int(has_point.argmax())
            problem = f"is {column[place].as_py()!r}, and other cells have a decimal comma"
            raise BadData(name, problem, row=first + place)
        plain = pyarrow.compute.if_else(has_comma, pyarrow.compute.replace_substring(plain, ",", "."), plain)
    lower = pyarrow.compute.utf8_lower(plain)
    for word, digit in _WORDS.items():
        plain = pyarrow.compute.if_else(pyarrow.compute.equal(lower, word), digit, plain)
    try:
        return _as_float(plain)
    except _NOT_A_NUMBER:
        raise _find_bad_number(plain, name, first, column) from None


def _find_bad_number(column: Any, name: str, first: int, written: Any = None) -> BadData:
    """Return the error that names the first value that is not a number, as it is written."""
    for place, value in enumerate(column.to_pylist()):
        try:
            _as_float(pyarrow.array([value]))
        except _NOT_A_NUMBER:
            cell = value if written is None else written[place].as_py()
            return BadData(name, "is empty" if value == "" else f"is {cell!r}, not a number", row=first + place)
    return BadData(name, f"holds {column.type}, not numbers")


def to_codes(column: Any, codes: dict[Any, int], name: str, first: int) -> Labels:
    """Return a number for each shopper, in the order in which they come: sums by number are faster than by name.

    ``codes`` are the numbers of the shoppers so far.

    Raises
    ------
    BadData
        Naming row and column of the first unknown shopper: rows without a shopper are not rows of one shopper.
    """
    _check_filled(column, name, first)
    try:
        packed = column.dictionary_encode()
    except pyarrow.ArrowNotImplementedError:
        raise BadData(name, f"holds {column.type}, must hold names or numbers") from None
    names, places = packed.dictionary.to_pylist(), packed.indices.to_numpy(zero_copy_only=False)
    # A dictionary may hold an unknown name that no row has, so the rows are checked.
    unknown = np.array([is_unknown(shopper) for shopper in names], dtype=np.bool_)[places]
    if unknown.any():
        row = int(unknown.argmax())
        raise BadData(name, describe_unknown(names[places[row]]), row=first + row)
    numbers = np.array([codes.setdefault(shopper, len(codes)) for shopper in names], dtype=np.int64)
    return np.asarray(numbers[places])


def _check_filled(column: Any, name: str, first: int) -> None:
    if column.null_count:
        _check_none(column.is_null().to_numpy(zero_copy_only=False), name, first)


def _check_none(empty: NDArray[np.bool_], name: str, first: int) -> None:
    if empty.any():
        raise BadData(name, "is empty", row=first + int(empty.argmax()))


def to_labels(column: Any) -> Labels:
    """Return labels as text; an empty text where there is none."""
    return np.array(["" if label is None else str(label) for label in column.to_pylist()])


def to_events(column: Any, first: int) -> Labels:
    """Return ids of events as text; an event without an id is known by its row, so that it repeats no other.

    ``first`` is the number of the first row among the rows of all files.
    """
    names = column.to_pylist()
    return np.array([f"row {row}" if is_unknown(name) else str(name) for row, name in enumerate(names, start=first)])


def add_constants(part: Any, constants: Constants) -> Any:
    """Return an Arrow batch with further columns that hold the same text in each row."""
    for name, value in constants.items():
        part = part.append_column(name, pyarrow.array([value] * len(part), pyarrow.string()))
    return part
