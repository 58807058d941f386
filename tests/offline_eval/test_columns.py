"""Columns: what names nobody, of any type, and numbers too large for a number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from offline_eval import BadData, LoggedBatch
from offline_eval.columns import UNKNOWN, is_unknown


class Missing:
    """A missing value whose comparisons are missing too, as pandas has one."""

    def __repr__(self) -> str:
        return "Missing()"

    def __ne__(self, other: object) -> Any:
        return self

    def __eq__(self, other: object) -> Any:
        return self

    def __hash__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        raise TypeError("the truth of a missing value is ambiguous")


NOBODY = [None, float("nan"), Decimal("nan"), np.datetime64("NaT"), np.float32("nan"), Missing(), " ", *sorted(UNKNOWN)]


@pytest.mark.parametrize("name", NOBODY, ids=repr)
def test_what_names_nobody_is_unknown(name: Any) -> None:
    assert is_unknown(name)
    column = np.empty(3, dtype=object)
    column[:] = ["ann", "bob", name]
    with pytest.raises(BadData, match="row 3, column shoppers: is"):
        LoggedBatch.of(reward=[1, 0, 1], propensity=[0.5] * 3, target_propensity=[0.5] * 3, shoppers=column)


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.0, np.nan, np.nan]),
        np.array(["2026-11-21", "NaT", "NaT"], dtype="datetime64[D]"),
        np.array(["ann", "", ""]),
        ["ann", "nan", "nan"],
    ],
    ids=lambda column: str(np.asarray(column).dtype),
)
def test_unknown_shoppers_of_any_type_are_refused_and_never_merged(column: Any) -> None:
    with pytest.raises(BadData, match="row 2, column shoppers: is"):
        LoggedBatch.of(reward=[1, 0, 1], propensity=[0.5] * 3, target_propensity=[0.5] * 3, shoppers=column)


@pytest.mark.parametrize("name", [0, "0", "ann", "Nan Goldin", -1.5, False, np.int64(7)])
def test_everything_else_is_a_name(name: Any) -> None:
    assert not is_unknown(name)


def test_a_number_of_many_digits_is_named_by_row_and_column() -> None:
    with pytest.raises(BadData, match="row 2, column reward: is too large for a number"):
        LoggedBatch.of(reward=[1, 10**400], propensity=[0.5] * 2, target_propensity=[0.5] * 2)
