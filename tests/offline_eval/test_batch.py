"""LoggedBatch: bad values are named by row and column."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from offline_eval import BadData, LoggedBatch, Totals, cut_blocks, dense_blocks, evaluate, make_estimators
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.targets import CallableTarget
from offline_eval.weighing import Weighing
from policies.catalogue.action_space import JointAction

ACTIONS = tuple(JointAction(message, channel, 0) for channel in ("push", "email") for message in ("hint", "reminder"))


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


def test_rounding_above_1_is_brought_down_and_more_is_told_with_its_digits() -> None:
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
        ("reward", [1, "x", 0], "row 2, column reward: is 'x', no number"),
        ("reward", [1, 0, [1]], "row 3, column reward: is [1], no number"),
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
    assert [each.tolist() for each in shoppers if each is not None] == [["a", "a", "b"], ["b", "c", "c"], ["d"]]


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
    with pytest.raises(BadData, match="row 5, column reward: is 'x', no number"):
        dense(reward=np.array([1, 0, 1, 0, "x", 1, 0], dtype=object))


@pytest.mark.parametrize(
    ("column", "change", "complaint"),
    [
        ("action", 3, "is 3, must be at least 0 and below 3"),
        ("action", -1, "is -1, must be at least 0 and below 3"),
        ("target", [0.9, 0.9, 0.9], "sums to 2.7, must sum to 1"),
        ("target", [1.5, -0.25, -0.25], "holds a value that is no probability"),
        ("target", [np.nan, 0.5, 0.5], "holds a value that is no probability"),
        ("target", [np.inf, 0.5, 0.5], "holds a value that is no probability"),
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


def test_blocks_keep_every_column() -> None:
    rows = LoggedBatch.of(**columns(shoppers=["a", "b", "a"], labels={"channel": np.array(["x", "y", "x"])}))
    again = next(iter(cut_blocks([rows.slice(0, 2), rows.slice(2, 3)])))
    assert again.shoppers is not None
    assert again.shoppers.tolist() == ["a", "b", "a"]
    assert again.labels["channel"].tolist() == ["x", "y", "x"]
    assert again.first == 1
    assert rows.slice(1, 3).first == 2


def decision(number: int, drawn: int, logged: np.ndarray, reward: float = 0.0) -> LoggedDecision:
    return LoggedDecision(f"e-{number}", f"s-{number}", float(number), {}, ACTIONS, logged, drawn, reward)


@pytest.mark.parametrize("slots", [(), ("channel",)])
@pytest.mark.parametrize("logged", [(0.4, 0.1, 0.3, 0.2), (0.5, 0.0, 0.3, 0.2)])
def test_weights_by_slots_are_unbiased_with_every_estimator_that_is(
    slots: tuple[str, ...], logged: tuple[float, ...]
) -> None:
    """Rewards depend on the channel alone, the reward model's mistakes do not; each row as often as it is drawn."""
    wanted, reward = np.array([0.1, 0.6, 0.1, 0.2]), np.array([1.0, 1.0, 0.25, 0.25])
    weighing = Weighing(CallableTarget(lambda _: wanted), predict=lambda _: np.array([0.9, 0.1, 0.3, 0.8]), slots=slots)
    times = np.repeat(np.arange(4), (np.array(logged) * 10).astype(int))
    log = [decision(number, drawn, np.array(logged), reward[drawn]) for number, drawn in enumerate(times.tolist())]
    unbiased = [estimator for estimator in make_estimators() if not estimator.trusts_model]
    estimators = unbiased + make_estimators(["switch-dr", "dr-os"], tau=99, shrinkage=1e12)
    totals = Totals(estimators)
    (rows,) = weighing.batches(log)
    totals.add(rows)
    supported = bool(slots) or min(logged) > 0
    for estimator in estimators if supported else ():
        assert estimator.value(totals.sample().means) == pytest.approx(wanted @ reward), estimator
    assert rows.unsupported is not None
    assert rows.unsupported == pytest.approx(np.full(10, 0.0 if supported else 0.6))


def test_a_slot_value_that_is_never_logged_is_without_support() -> None:
    wanted, logged = np.array([0.5, 0.0, 0.1, 0.4]), np.array([0.5, 0.5, 0.0, 0.0])
    predicted = np.array([0.2, 0.4, 1.0, 0.5])
    weighing = Weighing(CallableTarget(lambda _: wanted), predict=lambda _: predicted, slots=("channel",))
    (rows,) = weighing.batches([decision(1, 0, logged)])
    assert rows.unsupported is not None
    assert rows.unsupported[0] == pytest.approx(0.5)
    assert rows.q_chosen[0] == pytest.approx(0.3)
    assert rows.v_target[0] == pytest.approx(0.5 * 0.3 + 0.1 * 1.0 + 0.4 * 0.5)
