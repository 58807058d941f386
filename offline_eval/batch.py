"""LoggedBatch: what every bandit estimator works on, five numbers per logged decision.

The five columns are the reward, the propensity, the target's probability of the logged joint action, and, for
estimators that use a reward model, its prediction for the logged joint action and its mean under the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_eval.columns import (
    TOLERANCE,
    FloatArray,
    Labels,
    check_length,
    check_range,
    to_floats,
    to_labels,
    to_names,
)
from offline_eval.errors import BadData

BLOCK = 16_384
"""Rows that are worked on at once: the columns of so many rows stay in the processor's cache."""

SCALARS = ("reward", "propensity", "target_propensity", "q_chosen", "v_target")
"""The five columns."""

MODEL = SCALARS[3:]
"""The columns of a reward model."""

_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = float(np.finfo(np.float64).tiny)
"""A probability divided by this number, or by a greater one, is still finite."""


@dataclass(frozen=True)
class LoggedBatch:
    """A batch of logged decisions as columns, each of shape (n,).

    Parameters
    ----------
    reward
        Reward of the logged joint action.
    propensity
        Probability with which the logging policy drew it, 0 < p ≤ 1.
    target_propensity
        Probability of it under the target policy, 0 ≤ p ≤ 1.
    q_chosen, v_target
        The reward model's prediction for the logged joint action, and its mean over the target's distribution.
    shoppers
        The shopper of each decision: rows of one shopper depend on each other. None: all rows are independent.
    labels
        Further columns to group by, such as channel or segment.
    events
        Ids of the decisions, where the source has them: an id that comes twice is a row that was loaded twice.
    unsupported
        Probability that the target gives to eligible joint actions that the logging policy never draws.
    absent
        Which of the reward model's columns the source does not have: zeros stand in their place, and estimators that
        trust the model are refused.
    against
        The same decisions under another target, for a paired difference.
    first
        Number of the first row in its source, counted from 1; errors name rows by their number.

    Examples
    --------
    >>> batch = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.25], target_propensity=[0.25, 0.5])
    >>> batch.weight
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
    absent: tuple[str, ...] = ()
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
        columns = {name: column for name, column in columns.items() if column is not None}
        for name in SCALARS[:3]:
            if name not in columns:
                raise BadData(name, "is missing")
        for name in (*SCALARS, "unsupported"):
            if name in columns:
                columns[name] = to_floats(columns[name], name)
        for name in ("shoppers", "events"):
            if name in columns:
                columns[name] = to_names(columns[name], name)
        columns["labels"] = {name: to_labels(column) for name, column in columns.get("labels", {}).items()}
        absent = tuple(name for name in MODEL if name not in columns)
        batch = cls(**dict.fromkeys(absent, np.zeros_like(columns["reward"])) | columns, absent=absent)
        batch.check()
        return batch

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
        """Error of the reward model: reward - q̂."""
        return self.reward - self.q_chosen

    @cached_property
    def correction(self) -> FloatArray:
        """Weighted residual."""
        return self.weight * self.residual

    def check(self) -> None:
        """Refuse values that no log can hold; set probabilities to 1 that rounding took above 1.

        Raises
        ------
        BadData
            Naming row and column of the first bad value.
        """
        columns = {name: getattr(self, name) for name in (*SCALARS, "shoppers", "events", "unsupported")}
        for name, column in (columns | {**self.labels}).items():
            if column is not None:
                check_length(column, name, self.reward.size)
        if not len(self):
            return
        self._check("propensity", np.nextafter(0.0, 1.0), 1.0 + TOLERANCE, "must be above 0 and at most 1")
        self._check("target_propensity", 0.0, 1.0 + TOLERANCE, "must be at least 0 and at most 1")
        if self.unsupported is not None:  # a sum, which rounding may take above 1
            self._check("unsupported", 0.0, 1.0 + TOLERANCE, "must be at least 0 and at most 1")
        for name in ("propensity", "target_propensity"):
            if getattr(self, name).max() > 1.0:
                object.__setattr__(self, name, np.minimum(getattr(self, name), 1.0))
        for name in ("reward", "q_chosen", "v_target"):
            self._check(name, -_LARGEST, _LARGEST, "must be a finite number")
        if self.propensity.min() < _SMALLEST:
            self._check_weights()

    def _check(self, name: str, low: float, high: float, rule: str) -> None:
        check_range(getattr(self, name), name, low, high, rule, self.first)

    def _check_weights(self) -> None:
        with np.errstate(over="ignore"):
            infinite = np.isinf(self.target_propensity / self.propensity)
        if infinite.any():
            bad = int(np.flatnonzero(infinite)[0])
            propensity = f"is {self.propensity[bad]:.9g}, too small to divide by"
            raise BadData("propensity", propensity, row=self.first + bad)

    def as_logging(self) -> LoggedBatch:
        """Return the same decisions with the logging policy as target: every weight is 1.

        The model's value becomes its prediction for the drawn joint action, so that doubly robust estimators return
        the mean reward.
        """
        return replace(self, target_propensity=self.propensity, v_target=self.q_chosen, unsupported=None, against=None)

    def slice(self, begin: int, end: int) -> LoggedBatch:
        """Return the rows from ``begin`` to before ``end``."""
        part = slice(begin, end)
        return replace(
            self._map(lambda column: column[part]),
            against=None if self.against is None else self.against.slice(begin, end),
            first=self.first + begin,
        )

    def where(self, mask: NDArray[np.bool_]) -> LoggedBatch:
        """Return the rows of a mask (n,); they no longer have the numbers of the source."""
        return replace(
            self._map(lambda column: column[mask]),
            against=None if self.against is None else self.against.where(mask),
        )

    def _map(self, select: Callable[[Any], Any]) -> LoggedBatch:
        """Return a batch of the selected rows, without ``against`` and ``first``."""
        return LoggedBatch(
            **{name: select(getattr(self, name)) for name in SCALARS},
            shoppers=None if self.shoppers is None else select(self.shoppers),
            labels={name: select(column) for name, column in self.labels.items()},
            events=None if self.events is None else select(self.events),
            unsupported=None if self.unsupported is None else select(self.unsupported),
            absent=self.absent,
        )


@dataclass(frozen=True)
class Extremes:
    """Least and greatest reward, greatest weight, least and greatest prediction; mergeable, empty without rows.

    `offline_eval.estimators.base.Limits` compares them with what is known before looking at the data.

    Examples
    --------
    >>> batch = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.25], target_propensity=[0.25, 0.5])
    >>> Extremes.of(batch).weight
    2.0
    """

    least_reward: float = inf
    reward: float = -inf
    weight: float = -inf
    least_prediction: float = inf
    prediction: float = -inf

    @classmethod
    def of(cls, batch: LoggedBatch) -> Extremes:
        """Take the extremes of a batch, over both targets."""
        if not len(batch):
            return cls()
        extremes = cls(
            least_reward=float(batch.reward.min()),
            reward=float(batch.reward.max()),
            weight=float(batch.weight.max()),
            least_prediction=float(min(batch.q_chosen.min(), batch.v_target.min())),
            prediction=float(max(batch.q_chosen.max(), batch.v_target.max())),
        )
        return extremes if batch.against is None else extremes + cls.of(batch.against)

    @property
    def size(self) -> float:
        """The greatest absolute reward or prediction."""
        return max(map(abs, (self.least_reward, self.reward, self.least_prediction, self.prediction)))

    def __add__(self, other: Extremes) -> Extremes:
        return Extremes(
            least_reward=min(self.least_reward, other.least_reward),
            reward=max(self.reward, other.reward),
            weight=max(self.weight, other.weight),
            least_prediction=min(self.least_prediction, other.least_prediction),
            prediction=max(self.prediction, other.prediction),
        )


def cut_blocks(batches: Iterable[LoggedBatch], size: int = BLOCK) -> Iterator[LoggedBatch]:
    """Cut batches of any size into blocks of one size; the last block may be shorter.

    Sums over blocks then do not depend on how the source was cut, to the last bit.

    >>> batch = LoggedBatch.of(reward=[1, 2, 3], propensity=[1, 1, 1], target_propensity=[1, 1, 1])
    >>> [len(block) for block in cut_blocks([batch.slice(0, 1), batch.slice(1, 3)], size=2)]
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
    """Join batches that follow each other."""
    if len(parts) == 1:
        return parts[0]
    head = parts[0]
    return LoggedBatch(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in SCALARS},
        shoppers=None if head.shoppers is None else np.concatenate([part.shoppers for part in parts]),
        labels={name: np.concatenate([part.labels[name] for part in parts]) for name in head.labels},
        events=None if head.events is None else np.concatenate([part.events for part in parts]),
        unsupported=None if head.unsupported is None else np.concatenate([part.unsupported for part in parts]),
        absent=tuple(name for name in MODEL if any(name in part.absent for part in parts)),
        against=None if head.against is None else concatenate([part.against for part in parts if part.against]),
        first=head.first,
    )
