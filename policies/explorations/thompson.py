"""Thompson sampling: a joint action is as probable as it is to be the best one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from policies.arrays import FloatArray
from policies.explorations.base import Scores, check_parameter, find_best, share_equally


@dataclass(frozen=True)
class ThompsonSampling:
    """p(a) = the share of M draws from the model's posterior distribution in which a is the best joint action.

    Usually one draw of the model is made and its best action is taken, whose probability nobody knows. Here M draws are
    made for each request, and one of them decides: the probability of an action is counted, and therefore exact. In
    each draw all sends are scored by the same drawn model; HOLD's score is exactly 0. Sends that tie share the draw
    equally; in a tie with a send HOLD loses.

    The draws belong to the event: a retry or a replay makes the same ones. They come from another random stream than
    the number that draws the joint action.

    Parameters
    ----------
    draws
        M ≥ 1. A joint action that is best with probability q is missed by all draws with probability (1 - q)^M; the
        floor of the policy still reaches it.

    Examples
    --------
    >>> tables = np.array([[[2.0, 1.0], [0.5, 1.5], [-1.0, -0.5], [3.0, 0.0]]])
    >>> scores = Scores(np.array([[1.0, 0.5]]), hold=np.array([True]), sample=lambda count: tables[:, :count])
    >>> ThompsonSampling(draws=4).explore(scores)
    array([[0.5 , 0.25, 0.25]])

    References
    ----------
    Thompson (1933), On the likelihood that one unknown probability exceeds another in view of the evidence of two
    samples. Chapelle and Li (2011), An Empirical Evaluation of Thompson Sampling.
    """

    name: ClassVar[str] = "thompson"
    draws: int = 16

    def __post_init__(self) -> None:
        is_allowed = isinstance(self.draws, int) and self.draws >= 1
        check_parameter(self.name, "draws", self.draws, "be a whole number of at least 1", is_allowed=is_allowed)

    def explore(self, scores: Scores) -> FloatArray:
        """Return the distributions (r, n + 1).

        Raises
        ------
        ValueError
            When the scores cannot be sampled.
        """
        if scores.sample is None:
            raise ValueError("the exploration 'thompson' needs a model that samples scores, and seeds of the requests")
        tables = scores.sample(self.draws)  # (r, M, n)
        best = find_best(tables.reshape(-1, tables.shape[2]), np.repeat(scores.hold, self.draws))
        shares = share_equally(best).reshape(len(tables), self.draws, -1)
        distributions = np.zeros((len(tables), shares.shape[2]))
        for draw in range(self.draws):  # one after the other, so that a row does not depend on the other rows
            distributions += shares[:, draw]
        return distributions / self.draws
