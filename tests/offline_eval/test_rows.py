"""Rows: bad values are named by row and column."""

from __future__ import annotations

import numpy as np
import pytest

from offline_eval import BadData, Rows, blocks, dense_blocks


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
        Rows.of(**columns(**{column: values}))


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(BadData, match="column propensity: has 2 values, reward has 3"):
        Rows.of(**columns(propensity=[0.5, 0.5]))


def test_numbers_of_rows_go_on_over_blocks() -> None:
    count = 10
    reward, propensity = np.ones(count), np.full(count, 0.5)
    propensity[7] = 0.0
    target = np.full((count, 2), 0.5)
    with pytest.raises(BadData, match="row 8, column propensity"):
        list(dense_blocks(reward, np.zeros(count, dtype=np.int64), propensity, target, size=3))


def test_blocks_keep_every_column() -> None:
    rows = Rows.of(**columns(shoppers=["a", "b", "a"], labels={"channel": np.array(["x", "y", "x"])}))
    again = next(iter(blocks([rows.slice(0, 2), rows.slice(2, 3)])))
    assert again.shoppers is not None
    assert again.shoppers.tolist() == ["a", "b", "a"]
    assert again.labels["channel"].tolist() == ["x", "y", "x"]
    assert again.first == 1
    assert rows.slice(1, 3).first == 2
