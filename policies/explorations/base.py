"""The port of the explorations: the scores of lists of requests in, distributions over their eligible sets out.

Arrays have a row per request (r) and a column per joint action (n); of n + 1 columns the last one is HOLD's. The
propensity of a decision is computed by an exploration and not by the model's library, in float64, so it is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from policies.arrays import BoolArray, FloatArray

ScoreSampler = Callable[[int], FloatArray]
"""Takes a number of draws (M) and returns sampled scores of the sends (r, M, n), -∞ where a send is not eligible."""


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a list of requests. HOLD's score is exactly 0.

    Parameters
    ----------
    sends
        (r, n), what each send is expected to earn more than HOLD, in the unit of the catalogue's reward; -∞ where the
        send is not eligible.
    hold
        (r,), whether HOLD is eligible. Where no send is, HOLD must be.
    sample
        Draws scores from the model's posterior distribution; None where the model cannot.

    Examples
    --------
    >>> scores = Scores(np.array([[0.5, -np.inf], [-2.0, -1.0]]), hold=np.array([True, True]))
    >>> scores.with_hold()
    array([[ 0.5, -inf,  0. ],
           [-2. , -1. ,  0. ]])
    """

    sends: FloatArray
    hold: BoolArray
    sample: ScoreSampler | None = None

    def with_hold(self) -> FloatArray:
        """Return the scores of all joint actions (r, n + 1), -∞ for what is not eligible."""
        return np.concatenate([self.sends, np.where(self.hold, 0.0, -np.inf)[:, None]], axis=1)


class Exploration(Protocol):
    """A way to turn scores into distributions.

    ``name`` is the name in the registry. An exploration is a dataclass with a field for each of its parameters, and
    refuses a value by the name of the field.
    """

    name: ClassVar[str]

    def explore(self, scores: Scores) -> FloatArray:
        """Return the distributions (r, n + 1), 0 for what is not eligible.

        Joint actions of the same score have the same probability. HOLD never has more than a send whose score is at
        least 0. A row is the same to the byte whatever other rows are there: numbers that are not integers are added
        in the order of the columns (`total`), never by a sum over the rows or a matrix product.
        """
        ...


def best_scores(sends: FloatArray) -> FloatArray:
    """Return the best score of a send in each row (r,), -∞ without an eligible send."""
    return np.asarray(sends.max(axis=1, initial=-np.inf))


def find_best(sends: FloatArray, hold: BoolArray) -> BoolArray:
    """Return which joint actions are best (r, n + 1): several where sends tie. In a tie with a send HOLD loses.

    >>> find_best(np.array([[0.0, 0.0], [-1.0, -2.0]]), hold=np.array([True, True]))
    array([[ True,  True, False],
           [False, False,  True]])
    """
    best = best_scores(sends)
    return mark_best(sends, best, holds=hold & (best < 0.0))


def mark_best(sends: FloatArray, best: FloatArray, holds: BoolArray) -> BoolArray:
    """Return which joint actions are chosen (r, n + 1): HOLD where ``holds`` says so, elsewhere the best sends."""
    chosen = np.empty((len(sends), sends.shape[1] + 1), dtype=np.bool_)
    chosen[:, -1] = holds
    np.equal(sends, np.where(holds, np.nan, best)[:, None], out=chosen[:, :-1])
    return chosen


def share_equally(chosen: BoolArray) -> FloatArray:
    """Return for each row the uniform distribution over the joint actions that are chosen."""
    return np.asarray(chosen / chosen.sum(axis=1)[:, None])


def total(values: FloatArray) -> FloatArray:
    """Return the sum of each row (r, 1), added from the first column to the last: the same bytes in any batch."""
    return np.asarray(np.cumsum(values, axis=1)[:, -1:])


def check_parameter(exploration: str, name: str, value: float, rule: str, *, is_allowed: bool) -> None:
    """Refuse a parameter that is not allowed.

    Raises
    ------
    ValueError
        With the name of the exploration, the name of the parameter, the rule and the value.
    """
    if not is_allowed:
        raise ValueError(f"{name} of the exploration {exploration!r} must {rule}, not {value}")
