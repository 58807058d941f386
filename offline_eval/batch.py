"""LoggedBatch: what every bandit estimator works on, five numbers per logged decision.

That is all: reward, propensity, the target's probability of the logged joint action, and, for the estimators
that use a reward model, its prediction for the logged joint action and its mean under the target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_eval.errors import BadData, RowLabel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Labels = NDArray[Any]

BLOCK = 16_384
"""LoggedBatch worked on at once: a block's columns stay in the processor's cache."""

TOLERANCE = 1e-6
"""How far a probability or a sum of them may be from 1: float32 writers round by some 1e-7 per joint action."""

SCALARS = ("reward", "propensity", "target_propensity", "q_chosen", "v_target")


@dataclass(frozen=True)
class LoggedBatch:
    """A block of logged decisions as columns, each of shape (n,).

    Parameters
    ----------
    reward
        Reward of the logged joint action.
    propensity
        Probability with which the logging policy drew it, 0 < p ≤ 1.
    target_propensity
        Probability that the target policy gives it, 0 ≤ p ≤ 1.
    q_chosen, v_target
        The reward model's prediction for the logged joint action, and its mean over the target's
        distribution; both 0 where no estimator uses them.
    shoppers
        Whose decision it was: rows of one shopper depend on each other. None: all rows are independent.
    labels
        Further columns to group by, such as channel or segment.
    events
        Names of the decisions, where there are such: a name that comes twice is a row loaded twice.
    unsupported
        Probability that the target gives to eligible joint actions that the logging policy never draws.
    against
        The same decisions under another target, for a paired difference.
    first
        Number of the first row in its source, counted from 1: errors name rows by it.

    Examples
    --------
    >>> rows = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.25], target_propensity=[0.25, 0.5])
    >>> rows.weight
    array([0.5, 2. ])
    """

    reward: FloatArray
    propensity: FloatArray
    target_propensity: FloatArray
    q_chosen: FloatArray
    v_target: FloatArray
    shoppers: Labels | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    events: Labels | None = None
    unsupported: FloatArray | None = None
    against: LoggedBatch | None = None
    first: int = 1

    @classmethod
    def of(cls, **columns: Any) -> LoggedBatch:
        """Take columns from anything that NumPy reads, and check them.

        Raises
        ------
        BadData
            Naming row and column of the first bad value.
        """
        given = {name: column for name, column in columns.items() if column is not None}
        for name in SCALARS[:3]:
            if name not in given:
                raise BadData(name, "is missing")
        for name in (*SCALARS, "unsupported"):
            if name in given:
                given[name] = _floats(given[name], name)
        for name in ("shoppers", "events"):
            if name in given:
                given[name] = _names(given[name], name)
        given["labels"] = {name: np.asarray(column) for name, column in given.get("labels", {}).items()}
        absent = np.zeros_like(given["reward"])
        rows = cls(**{"q_chosen": absent, "v_target": absent} | given)
        rows.check()
        return rows

    def __len__(self) -> int:
        return len(self.reward)

    @cached_property
    def weight(self) -> FloatArray:
        """Importance weight: target probability ÷ propensity."""
        return self.target_propensity / self.propensity

    @cached_property
    def gain(self) -> FloatArray:
        """Weighted reward."""
        return self.weight * self.reward

    @cached_property
    def residual(self) -> FloatArray:
        """What the reward model did not foresee: reward - q̂."""
        return self.reward - self.q_chosen

    @cached_property
    def correction(self) -> FloatArray:
        """Weighted residual."""
        return self.weight * self.residual

    def check(self) -> None:
        """Refuse what no log can hold; bring probabilities that rounding took above 1 down to it.

        Raises
        ------
        BadData
            Naming row and column of the first bad value.
        """
        columns = {name: getattr(self, name) for name in (*SCALARS, "shoppers", "events", "unsupported")}
        for name, column in (columns | {**self.labels}).items():
            if column is not None:
                _check_length(column, name, self.reward.size)
        if not len(self):
            return
        _check(self, "propensity", np.nextafter(0.0, 1.0), 1.0 + TOLERANCE, "must be above 0 and at most 1")
        _check(self, "target_propensity", 0.0, 1.0 + TOLERANCE, "must be at least 0 and at most 1")
        if self.unsupported is not None:
            _check(self, "unsupported", 0.0, 1.0 + TOLERANCE, "must be at least 0 and at most 1")  # sums are rounded
        for name in ("propensity", "target_propensity"):
            if getattr(self, name).max() > 1.0:
                object.__setattr__(self, name, np.minimum(getattr(self, name), 1.0))
        for name in ("reward", "q_chosen", "v_target"):
            _check(self, name, -_LARGEST, _LARGEST, "must be a finite number")
        if self.propensity.min() < _SMALLEST:
            _check_weights(self)

    def as_logging(self) -> LoggedBatch:
        """Give the same decisions with the logging policy as target: every weight is 1.

        Its model value is taken as the prediction for what was drawn, so doubly robust estimators give the
        mean reward.
        """
        return replace(self, target_propensity=self.propensity, v_target=self.q_chosen, unsupported=None, against=None)

    def slice(self, begin: int, end: int) -> LoggedBatch:
        """Give some of the rows."""
        part = slice(begin, end)
        return LoggedBatch(
            **{name: getattr(self, name)[part] for name in SCALARS},
            shoppers=None if self.shoppers is None else self.shoppers[part],
            labels={name: column[part] for name, column in self.labels.items()},
            events=None if self.events is None else self.events[part],
            unsupported=None if self.unsupported is None else self.unsupported[part],
            against=None if self.against is None else self.against.slice(begin, end),
            first=self.first + begin,
        )

    def where(self, mask: NDArray[np.bool_]) -> LoggedBatch:
        """Give the rows of a mask (n,); their numbers are no longer those of the source."""
        return LoggedBatch(
            **{name: getattr(self, name)[mask] for name in SCALARS},
            shoppers=None if self.shoppers is None else self.shoppers[mask],
            labels={name: column[mask] for name, column in self.labels.items()},
            events=None if self.events is None else self.events[mask],
            unsupported=None if self.unsupported is None else self.unsupported[mask],
            against=None if self.against is None else self.against.where(mask),
        )


_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.finfo(np.float64).tiny)
"""Divided by this, a probability is still a number."""


def _floats(values: Any, column: str, first: int = 1) -> FloatArray:
    """Take a column of numbers of any type, whose first row has the number ``first``."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise _no_number(values, column, first) from None


def _no_number(values: Any, column: str, first: int) -> BadData:
    for place, value in enumerate(values if np.iterable(values) else [values]):
        try:
            float(value)
        except (TypeError, ValueError):
            return BadData(column, f"is {value!r}, no number", row=first + place)
    return BadData(column, "holds no numbers")


def _names(values: Any, column: str) -> Labels:
    """Take a column of names or numbers; as text where it holds any objects, which cannot be told apart quickly."""
    names = np.asarray(values)
    if names.dtype != object:
        return names
    for place, name in enumerate(names.ravel().tolist()):
        if name is None or name != name:  # what is not a number is not itself
            raise BadData(column, "is empty", row=1 + place)
    return names.astype(str)


def _check_length(column: Labels, name: str, count: int) -> None:
    if column.ndim != 1:
        raise BadData(name, f"has the shape {column.shape}, must hold one value per row")
    if len(column) != count:
        raise BadData(name, f"has {len(column)} values, reward has {count}")


def _check(rows: LoggedBatch, name: str, low: float, high: float, rule: str) -> None:
    column: FloatArray = getattr(rows, name)
    # Extremes first, as nearly every block is sound; not a number makes them not a number, and fails both.
    if not (column.min() >= low and column.max() <= high):
        bad = int(np.flatnonzero(~((column >= low) & (column <= high)))[0])
        raise BadData(name, f"is {column[bad]:.9g}, {rule}", row=rows.first + bad)


def _check_weights(rows: LoggedBatch) -> None:
    with np.errstate(over="ignore"):
        endless = np.isinf(rows.target_propensity / rows.propensity)
    if endless.any():
        bad = int(np.flatnonzero(endless)[0])
        raise BadData("propensity", f"is {rows.propensity[bad]:.9g}, too small to divide by", row=rows.first + bad)


def blocks(batches: Iterable[LoggedBatch], size: int = BLOCK) -> Iterator[LoggedBatch]:
    """Cut batches of any size into blocks of one size, the last one shorter.

    Sums over blocks then do not depend on how the source was cut, to the last bit.

    >>> rows = LoggedBatch.of(reward=[1, 2, 3], propensity=[1, 1, 1], target_propensity=[1, 1, 1])
    >>> [len(block) for block in blocks([rows.slice(0, 1), rows.slice(1, 3)], size=2)]
    [2, 1]
    """
    waiting: list[LoggedBatch] = []
    count = 0
    for batch in batches:
        begin = 0
        while count + len(batch) - begin >= size:
            end = begin + size - count
            yield concatenate([*waiting, batch.slice(begin, end)])
            waiting, count, begin = [], 0, end
        if begin < len(batch):
            waiting.append(batch.slice(begin, len(batch)))
            count += len(batch) - begin
    if waiting:
        yield concatenate(waiting)


def concatenate(parts: list[LoggedBatch]) -> LoggedBatch:
    """Join blocks that follow each other."""
    if len(parts) == 1:
        return parts[0]
    head = parts[0]
    return LoggedBatch(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in SCALARS},
        shoppers=None if head.shoppers is None else np.concatenate([part.shoppers for part in parts]),
        labels={name: np.concatenate([part.labels[name] for part in parts]) for name in head.labels},
        events=None if head.events is None else np.concatenate([part.events for part in parts]),
        unsupported=None if head.unsupported is None else np.concatenate([part.unsupported for part in parts]),
        against=None if head.against is None else concatenate([part.against for part in parts if part.against]),
        first=head.first,
    )


def dense_blocks(
    reward: FloatArray,
    action: NDArray[np.int64],
    propensity: FloatArray,
    target: FloatArray,
    q_hat: FloatArray | None = None,
    *,
    shoppers: Labels | None = None,
    size: int = BLOCK,
) -> Iterator[LoggedBatch]:
    """Give blocks of rows from whole distributions, as the Open Bandit Pipeline holds them.

    Parameters
    ----------
    reward, action, propensity
        (n,), ``action`` counts from 0.
    target, q_hat
        (n, K), or (n, K, 1): the target's distribution over K joint actions, and the reward model's predictions.
    shoppers
        (n,): whose decision it was; None: all rows are independent.

    Raises
    ------
    BadData
        Naming row and column: an action outside [0, K), what is no distribution, or what `LoggedBatch.check` refuses.
    """
    target, action = _table(target, "target"), np.asarray(action)
    shoppers = None if shoppers is None else _names(shoppers, "shoppers")
    if q_hat is not None and (q_hat := _table(q_hat, "q_hat")).shape[1] != target.shape[1]:
        raise BadData("q_hat", f"predicts for {q_hat.shape[1]} joint actions, target has {target.shape[1]}")
    columns = {"action": action, "propensity": propensity, "target": target, "q_hat": q_hat, "shoppers": shoppers}
    for name, column in columns.items():
        if column is not None and len(column) != len(reward):
            raise BadData(name, f"has {len(column)} values, reward has {len(reward)}")
    count = target.shape[1]
    starts = np.arange(0, size * count, count)
    for begin in range(0, len(reward), size):
        part = slice(begin, begin + size)
        own = _floats(target[part], "target", begin + 1)
        _check_actions(action[part], count, begin + 1)
        _check_distributions(own, begin + 1)
        flat = starts[: len(own)] + action[part]
        if q_hat is None:
            predicted = (np.zeros(len(own)), np.zeros(len(own)))
        else:
            guess = _floats(q_hat[part], "q_hat", begin + 1)
            predicted = (guess.ravel()[flat], np.einsum("ij,ij->i", own, guess))
        rows = LoggedBatch(
            _floats(reward[part], "reward", begin + 1),
            _floats(propensity[part], "propensity", begin + 1),
            *(own.ravel()[flat], *predicted),
            shoppers=None if shoppers is None else shoppers[part],
            first=begin + 1,
        )
        rows.check()
        yield rows


def _table(values: Labels, name: str) -> Labels:
    """Give a table (n, K); the Open Bandit Pipeline's third axis, of positions, must be of length 1."""
    table = np.asarray(values)
    if table.ndim == 3 and table.shape[2] == 1:
        table = table[:, :, 0]
    if table.ndim != 2:
        raise BadData(name, f"has the shape {table.shape}, must be (n, K) or (n, K, 1)")
    return table


def _check_actions(action: NDArray[np.int64], count: int, first: int) -> None:
    if action.dtype.kind not in "iu":
        raise BadData("action", f"holds {action.dtype}, must hold whole numbers from 0")
    if not (action.min() >= 0 and action.max() < count):
        bad = int(np.flatnonzero((action < 0) | (action >= count))[0])
        raise BadData("action", f"is {action[bad]}, must be at least 0 and below {count}", row=first + bad)


def _check_distributions(target: FloatArray, first: int) -> None:
    sums = target @ np.ones(target.shape[1])
    # As in `_check`: extremes first, and not a number fails both.
    if not (target.min() >= 0 and abs(sums.min() - 1) <= TOLERANCE and abs(sums.max() - 1) <= TOLERANCE):
        sound = (target >= 0).all(axis=1) & (np.abs(sums - 1) <= TOLERANCE)
        bad = int(np.flatnonzero(~sound)[0])
        check_distribution(target[bad], "target", first + bad)


def check_distribution(probabilities: FloatArray, column: str, row: RowLabel) -> None:
    """Refuse what is no distribution.

    Raises
    ------
    BadData
        Naming row and column.
    """
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all()):
        raise BadData(column, "holds a value that is no probability", row)
    total = float(probabilities.sum())
    if abs(total - 1.0) > TOLERANCE:
        raise BadData(column, f"sums to {total:.9g}, must sum to 1", row)
