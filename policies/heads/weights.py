"""The weights of all heads, and the step that learns one observation in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.heads.expectation import mean_sigmoid

_FIRST_CAPACITY = 1_024


@dataclass(frozen=True)
class Change:
    """What a step changes, for each head (h,): an observation is ``positives`` of ``trials``, both may be fractions.

    Parameters
    ----------
    positives, trials
        The observation that is learned, less the one that it replaces.
    weight
        The larger number of trials of the two observations: 0 for a head that observes nothing.
    """

    positives: FloatArray
    trials: FloatArray
    weight: FloatArray


class GaussianWeights:
    """Independent Gaussians, a row per weight and a column per head.

    The posterior of a weight is held as its mean m and its *information* i, which is what the observations added to the
    precision. With prior variance v its variance is s = v / (1 + v·i). A head without the weight has v = 0.
    """

    def __init__(self, biases: Sequence[float]) -> None:
        self.biases = np.array(biases, dtype=np.float64)
        self.count = 0
        shape = _FIRST_CAPACITY, len(biases)
        self._means, self._information, self._prior_variances, self._prior_means = (np.zeros(shape) for _ in range(4))

    def add(self, prior_means: FloatArray, prior_variances: FloatArray) -> int:
        """Add a weight with its priors (h,), and return its number."""
        number, self.count = self.count, self.count + 1
        if number == len(self._means):
            self._grow()
        self._means[number] = self._prior_means[number] = prior_means
        self._prior_variances[number] = prior_variances
        return number

    def _grow(self) -> None:
        arrays = self._means, self._information, self._prior_variances, self._prior_means
        self._means, self._information, self._prior_variances, self._prior_means = (
            np.concatenate([array, np.zeros_like(array)]) for array in arrays
        )

    @property
    def means(self) -> FloatArray:
        """The means (weights, h)."""
        return self._means[: self.count]

    @property
    def information(self) -> FloatArray:
        """What the observations added to the precisions (weights, h)."""
        return self._information[: self.count]

    @property
    def variances(self) -> FloatArray:
        """The variances (weights, h)."""
        prior = self._prior_variances[: self.count]
        return np.asarray(prior / (1.0 + prior * self.information))

    def step(self, numbers: IntArray, values: FloatArray, change: Change) -> FloatArray:
        """Learn an observation of each head, and return the probabilities (h,) that were expected before.

        The closed form for weights i of values x_i: s_i = v_i / (1 + v_i·information_i), V = Σ x_i²·s_i,
        z = bias + Σ x_i·m_i, p = the mean of σ over a Gaussian of mean z and variance V, and then

        - m_i += s_i·x_i · (positives - trials·p) / (1 + weight·V·p·(1 - p)),
        - information_i += trials · x_i²·p·(1 - p), and not below 0.

        Parameters
        ----------
        numbers, values
            The weights of a send (t,), each once, and their values x.
        change
            The observations.
        """
        column = values[:, None]
        squares = column * column
        prior, means = self._prior_variances.take(numbers, axis=0), self._means.take(numbers, axis=0)
        information = self._information.take(numbers, axis=0)
        variances = prior / (1.0 + prior * information)
        of_logit = np.add.reduce(squares * variances, axis=0)
        logits = self.biases + np.add.reduce(column * means, axis=0)
        expected = mean_sigmoid(logits, of_logit)
        curvature = expected * (1.0 - expected)
        gain = (change.positives - change.trials * expected) / (1.0 + change.weight * of_logit * curvature)
        self._means[numbers] = means + variances * column * gain
        self._information[numbers] = np.maximum(information + squares * (change.trials * curvature), 0.0)
        return expected

    def forget(self, share: float) -> None:
        """Keep a share of what the observations say: the posterior goes back towards the prior.

        The information shrinks to the share, and so does what the observations say about the mean: (m - prior mean)
        divided by the variance.
        """
        prior, information = self._prior_variances[: self.count], self.information
        shrinkage = share * (1.0 + prior * information) / (1.0 + prior * information * share)
        prior_means = self._prior_means[: self.count]
        self._means[: self.count] = prior_means + (self.means - prior_means) * shrinkage
        self._information[: self.count] = information * share

    def learned_weights(self, head: int) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return the numbers, means and information of the weights of a head that observations have touched."""
        touched = (self.information[:, head] > 0.0) | (self.means[:, head] != self._prior_means[: self.count, head])
        numbers = np.flatnonzero(touched & (self._prior_variances[: self.count, head] > 0.0))
        return numbers, self.means[numbers, head], self.information[numbers, head]

    def restore(self, head: int, numbers: IntArray, means: FloatArray, information: FloatArray) -> None:
        """Set what `learned_weights` returned."""
        self._means[numbers, head] = means
        self._information[numbers, head] = information
