"""LoggedBatch: bad values are named by row and column."""

from __future__ import annotations

import re

import numpy as np
import pytest

from offline_eval import BadData, LoggedBatch, cut_blocks


def columns(**changes: object) -> dict[str, object]:
    return {"reward": [1.0, 0.0, 1.0], "propensity": [0.5] * 3, "target_propensity": [0.5] * 3} | changes


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("propensity", [0.5, 0.5, 0.0]),
        ("propensity", [0.5, 0.5, 1.5]),
        ("propensity", [0.5, 0.5, -0.1]),
        ("propensity", [0.5, 0.5, np.nan]),
        ("target_propensity", [0.5, 0.5, -0.1]),
        ("target_propensity", [0.5, 0.5, 1.1]),
        ("target_propensity", [0.5, 0.5, np.nan]),
        ("reward", [1.0, 0.0, np.nan]),
        ("q_chosen", [1.0, 0.0, np.inf]),
        ("v_target", [1.0, 0.0, np.nan]),
        ("unsupported", [0.0, 1.0, np.nan]),
        ("unsupported", [0.0, 1.0, 7.0]),
    ],
)
def test_a_bad_value_is_named_by_row_and_column(column: str, values: list[float]) -> None:
    with pytest.raises(BadData, match=rf"row 3, column {column}: is "):
        LoggedBatch.of(**columns(**{column: values}))


def test_a_propensity_that_no_weight_can_be_made_of_is_named() -> None:
    with pytest.raises(BadData, match=r"row 2, column propensity: is 9\.999\d*e-321, too small to divide by"):
        LoggedBatch.of(**columns(propensity=[0.5, 1e-320, 0.5]))


def test_rounding_above_1_is_brought_down_and_more_is_refused_with_its_digits() -> None:
    rows = LoggedBatch.of(**columns(propensity=[1.0000001, 0.5, 1.0], target_propensity=[1.0000009, 0.5, 0.5]))
    assert rows.weight.tolist() == [1.0, 1.0, 0.5]
    with pytest.raises(
        BadData, match=r"row 1, column target_propensity: is 1\.000002, must be at least 0 and at most 1"
    ):
        LoggedBatch.of(**columns(target_propensity=[1.000002, 0.5, 0.5]))


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(BadData, match="column propensity: has 2 values, reward has 3"):
        LoggedBatch.of(**columns(propensity=[0.5, 0.5]))


@pytest.mark.parametrize("column", ["shoppers", "events", "unsupported", "v_target"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_optional_columns_of_other_lengths_are_refused_too(column: str, count: int) -> None:
    with pytest.raises(BadData, match=f"column {column}: has {count} values, reward has 3"):
        LoggedBatch.of(**columns(**{column: [0.5] * count}))


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(BadData, match="column channel: has 2 values, reward has 3"):
        LoggedBatch.of(**columns(labels={"channel": ["push", "email"]}))


@pytest.mark.parametrize("column", ["reward", "propensity", "target_propensity"])
def test_a_column_that_is_missing_is_named(column: str) -> None:
    with pytest.raises(BadData, match=f"column {column}: is missing"):
        LoggedBatch.of(**{name: values for name, values in columns().items() if name != column})


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("reward", [1, "x", 0], "row 2, column reward: is 'x', not a number"),
        ("reward", [1, 0, [1]], "row 3, column reward: is [1], not a number"),
        ("propensity", 0.5, "column propensity: has the shape (), must hold one value per row"),
        ("propensity", [[0.5]] * 3, "column propensity: has the shape (3, 1), must hold one value per row"),
        ("shoppers", ["ann", None, "bob"], "row 2, column shoppers: is empty"),
        ("shoppers", np.array(["ann", "bob", np.nan], dtype=object), "row 3, column shoppers: is empty"),
    ],
)
def test_what_is_no_column_is_named(column: str, values: object, complaint: str) -> None:
    with pytest.raises(BadData, match=re.escape(complaint)):
        LoggedBatch.of(**columns(**{column: values}))


def test_shoppers_may_be_any_objects() -> None:
    rows = LoggedBatch.of(**columns(shoppers=np.array(["ann", 1, "ann"], dtype=object)))
    assert rows.shoppers is not None
    assert rows.shoppers.tolist() == ["ann", "1", "ann"]


def test_blocks_keep_every_column() -> None:
    rows = LoggedBatch.of(**columns(shoppers=["a", "b", "a"], labels={"channel": np.array(["x", "y", "x"])}))
    again = next(iter(cut_blocks([rows.slice(0, 2), rows.slice(2, 3)])))
    assert again.shoppers is not None
    assert again.shoppers.tolist() == ["a", "b", "a"]
    assert again.labels["channel"].tolist() == ["x", "y", "x"]
    assert again.first == 1
    assert rows.slice(1, 3).first == 2
