"""Dense tables: whole distributions become batches, and bad values are named."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from offline_eval import BadData, LoggedBatch, dense_blocks, evaluate


def test_numbers_of_rows_go_on_over_blocks() -> None:
    count = 10
    reward, propensity = np.ones(count), np.full(count, 0.5)
    propensity[7] = 0.0
    target = np.full((count, 2), 0.5)
    with pytest.raises(BadData, match="row 8, column propensity"):
        list(dense_blocks(reward, np.zeros(count, dtype=np.int64), propensity, target, size=3))


def dense(**changes: object) -> list[LoggedBatch]:
    """Seven rows over three joint actions, in blocks of three."""
    sound: dict[str, Any] = {
        "reward": np.ones(7),
        "action": np.arange(7) % 3,
        "propensity": np.full(7, 0.5),
        "target": np.tile([0.7, 0.2, 0.1], (7, 1)),
    }
    return list(dense_blocks(**sound | changes, size=3))


def test_dense_rows_keep_their_shoppers() -> None:
    shoppers = [rows.shoppers for rows in dense(shoppers=np.array(list("aabbccd")))]
    assert [names.tolist() for names in shoppers if names is not None] == [["a", "a", "b"], ["b", "c", "c"], ["d"]]


NUMBERS = [np.bool_, np.int8, np.int32, np.int64, np.float16, np.float32, np.float64]


@given(
    arrays.arrays(st.sampled_from(NUMBERS), 7, elements=st.sampled_from([0, 1])),
    arrays.arrays(st.sampled_from(NUMBERS[4:]), 7, elements=st.sampled_from([0.25, 0.5, 1.0])),
    st.sampled_from(NUMBERS),
    st.booleans(),
)
@example(np.ones(7), np.array([0.5, *[0.25] * 6], dtype=np.float16), np.bool_, False)
def test_the_type_of_numbers_does_not_matter(
    reward: np.ndarray, propensity: np.ndarray, kind: type[np.generic], positions: bool
) -> None:
    """Nor whether distributions have the Open Bandit Pipeline's third axis; the report is the same to the last bit."""
    target, q_hat = (np.roll(np.eye(3), by, axis=0)[np.arange(7) % 3].astype(kind) for by in (0, 1))
    typed: dict[str, Any] = {"reward": reward, "propensity": propensity, "target": target, "q_hat": q_hat}
    plain = {name: values.astype(np.float64) for name, values in typed.items()}
    if positions:
        typed |= {name: typed[name][:, :, None] for name in ("target", "q_hat")}
    assert evaluate(dense(**typed)) == evaluate(dense(**plain))


@pytest.mark.parametrize("column", ["target", "q_hat"])
@pytest.mark.parametrize("shape", [(7,), (7, 3, 2), (7, 1, 3)])
def test_tables_of_another_shape_are_refused(column: str, shape: tuple[int, ...]) -> None:
    complaint = f"column {column}: has the shape {shape}, must be (n, K) or (n, K, 1)"
    with pytest.raises(BadData, match=re.escape(complaint)):
        dense(**{column: np.full(shape, 1 / 3)})


def test_predictions_for_other_joint_actions_are_refused() -> None:
    with pytest.raises(BadData, match="column q_hat: predicts for 2 joint actions, target has 3"):
        dense(q_hat=np.zeros((7, 2)))


def test_a_dense_value_that_is_no_number_is_named_by_its_row() -> None:
    with pytest.raises(BadData, match="row 5, column reward: is 'x', not a number"):
        dense(reward=np.array([1, 0, 1, 0, "x", 1, 0], dtype=object))


@pytest.mark.parametrize(
    ("column", "change", "complaint"),
    [
        ("action", 3, "is 3, must be at least 0 and below 3"),
        ("action", -1, "is -1, must be at least 0 and below 3"),
        ("target", [0.9, 0.9, 0.9], "sums to 2.7, must sum to 1"),
        ("target", [1.5, -0.25, -0.25], "holds a value that is not a probability"),
        ("target", [np.nan, 0.5, 0.5], "holds a value that is not a probability"),
        ("target", [np.inf, 0.5, 0.5], "holds a value that is not a probability"),
    ],
)
def test_bad_actions_and_distributions_are_named(column: str, change: object, complaint: str) -> None:
    values = {"action": np.arange(7) % 3, "target": np.tile([0.7, 0.2, 0.1], (7, 1))}[column]
    values[4] = change
    with pytest.raises(BadData, match=f"row 5, column {column}: {complaint}"):
        dense(**{column: values})


def test_dense_columns_of_another_kind_or_length_are_refused() -> None:
    with pytest.raises(BadData, match="column action: holds float64, must hold whole numbers from 0"):
        dense(action=np.zeros(7))
    with pytest.raises(BadData, match="column shoppers: has 6 values, reward has 7"):
        dense(shoppers=np.arange(6))
