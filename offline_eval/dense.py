"""Dense tables: whole distributions over joint actions, as the Open Bandit Pipeline holds them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from offline_eval.batch import BLOCK, MODEL, LoggedBatch
from offline_eval.columns import TOLERANCE, FloatArray, IntArray, Labels, check_distribution, to_floats, to_names
from offline_eval.errors import BadData


def dense_blocks(
    reward: FloatArray,
    action: IntArray,
    propensity: FloatArray,
    target: FloatArray,
    q_hat: FloatArray | None = None,
    *,
    shoppers: Labels | None = None,
    size: int = BLOCK,
) -> Iterator[LoggedBatch]:
    """Yield batches made from whole distributions.

    Parameters
    ----------
    reward, action, propensity
        (n,), ``action`` counts from 0.
    target, q_hat
        (n, K), or (n, K, 1): the target's distribution over K joint actions, and the reward model's predictions.
    shoppers
        (n,): the shopper of each decision; None: all rows are independent.

    Raises
    ------
    BadData
        Naming row and column: an action outside [0, K), values that are no distribution, or a value that
        `LoggedBatch.check` refuses.
    """
    target, action = _to_table(target, "target"), np.asarray(action)
    shoppers = None if shoppers is None else to_names(shoppers, "shoppers")
    if q_hat is not None and (q_hat := _to_table(q_hat, "q_hat")).shape[1] != target.shape[1]:
        raise BadData("q_hat", f"predicts for {q_hat.shape[1]} joint actions, target has {target.shape[1]}")
    columns = {"action": action, "propensity": propensity, "target": target, "q_hat": q_hat, "shoppers": shoppers}
    for name, column in columns.items():
        if column is not None and len(column) != len(reward):
            raise BadData(name, f"has {len(column)} values, reward has {len(reward)}")
    count = target.shape[1]
    starts = np.arange(0, size * count, count)
    for begin in range(0, len(reward), size):
        part = slice(begin, begin + size)
        wanted = to_floats(target[part], "target", begin + 1)
        _check_actions(action[part], count, begin + 1)
        _check_distributions(wanted, begin + 1)
        flat = starts[: len(wanted)] + action[part]
        if q_hat is None:
            predicted = (np.zeros(len(wanted)), np.zeros(len(wanted)))
        else:
            predictions = to_floats(q_hat[part], "q_hat", begin + 1)
            predicted = (predictions.ravel()[flat], np.einsum("ij,ij->i", wanted, predictions))
        batch = LoggedBatch(
            to_floats(reward[part], "reward", begin + 1),
            to_floats(propensity[part], "propensity", begin + 1),
            *(wanted.ravel()[flat], *predicted),
            shoppers=None if shoppers is None else shoppers[part],
            absent=() if q_hat is not None else MODEL,
            first=begin + 1,
        )
        batch.check()
        yield batch


def _to_table(values: Labels, name: str) -> Labels:
    """Return a table (n, K); the Open Bandit Pipeline's third axis, of positions, must be of length 1."""
    table = np.asarray(values)
    if table.ndim == 3 and table.shape[2] == 1:
        table = table[:, :, 0]
    if table.ndim != 2:
        raise BadData(name, f"has the shape {table.shape}, must be (n, K) or (n, K, 1)")
    return table


def _check_actions(action: IntArray, count: int, first: int) -> None:
    if action.dtype.kind not in "iu":
        raise BadData("action", f"holds {action.dtype}, must hold whole numbers from 0")
    if not (action.min() >= 0 and action.max() < count):
        bad = int(np.flatnonzero((action < 0) | (action >= count))[0])
        raise BadData("action", f"is {action[bad]}, must be at least 0 and below {count}", row=first + bad)


def _check_distributions(target: FloatArray, first: int) -> None:
    sums = target @ np.ones(target.shape[1])
    # The extremes first, as in `check_range`; a NaN fails.
    if not (target.min() >= 0 and abs(sums.min() - 1) <= TOLERANCE and abs(sums.max() - 1) <= TOLERANCE):
        sound = (target >= 0).all(axis=1) & (np.abs(sums - 1) <= TOLERANCE)
        bad = int(np.flatnonzero(~sound)[0])
        check_distribution(target[bad], "target", first + bad)
