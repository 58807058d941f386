"""The difference softmax: a softmax of what sends earn relative to the average send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from policies.arrays import FloatArray
from policies.explorations.base import Scores, total
from policies.explorations.softmax import check_temperature, softmax


@dataclass(frozen=True)
class DifferenceSoftmax:
    """p(a) ∝ exp(s(a) / τ), s(a) = (score(a) - m) / m, m the mean of the absolute scores of the eligible sends.

    This is the exploration of the recovering difference softmax, the algorithm that chooses Duolingo's reminders. The
    paper draws an eligible template a with probability ∝ exp(s*(a) / τ), where

        s*(a) = (μ⁺(a) - μ⁻(a)) / μ⁻(a) - γ·2^(-d/h).

    μ⁺(a) is what a round earns in which a is sent, μ⁻(a) what a round earns in which a is eligible and not sent, d the
    days since a was last sent to this person, h the half-life (15 days) and γ the penalty of a template that was just
    sent (.017). τ is .0025. Means are weighted by inverse propensities and shrunk.

    To the **score**, and thus to the model, belong μ⁺, its shrinkage and the recovery penalty, which is multiplied by
    the average because our scores have a unit: score(a) = μ⁺(a) - γ·2^(-d/h)·m. To the **exploration** belong the
    division by the average, the temperature and the softmax. A model without the recovery penalty gets a difference
    softmax that does not recover.

    Our average differs from the paper's. μ⁻(a) is a mean over a log, a number for each template; m is the mean over the
    sends that are eligible in this request, by a model whose scores already tell shoppers apart. So m is the same for
    all sends of a request, its subtraction cancels, and τ is a share of what a send earns here. Scores can be
    negative, so m is a mean of absolute scores. HOLD, which the paper does not have, has the score 0. If all scores
    of a request are 0, so are the differences.

    Parameters
    ----------
    temperature
        τ > 0, without a unit: a send that is worse by τ·m is less probable by the factor e.

    Examples
    --------
    The average is 2, so the relative differences are .5, -.5 and, for HOLD, -1.

    >>> scores = Scores(np.array([[3.0, 1.0, -np.inf]]), hold=np.array([True]))
    >>> DifferenceSoftmax(temperature=0.5).explore(scores).round(3)
    array([[0.844, 0.114, 0.   , 0.042]])

    References
    ----------
    Yancey and Settles (2020), A Sleeping, Recovering Bandit Algorithm for Optimizing Recurring Notifications (KDD).
    """

    name: ClassVar[str] = "difference-softmax"
    temperature: float

    def __post_init__(self) -> None:
        check_temperature(self.name, self.temperature)

    def explore(self, scores: Scores) -> FloatArray:
        """Return the distributions (r, n + 1). The unit of the scores has no influence."""
        eligible = scores.sends > -np.inf
        sizes = np.where(eligible, np.abs(scores.sends), 0.0)
        largest = sizes.max(axis=1, keepdims=True, initial=0.0)
        largest[largest == 0.0] = 1.0
        averages = total(sizes / largest) / np.maximum(eligible.sum(axis=1), 1)[:, None]
        averages[averages == 0.0] = 1.0
        return softmax(scores.with_hold() / largest / averages, self.temperature)
