"""A model whose posterior distribution is known: independent normal scores with given means and deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, SeedArray
from policies.catalogue.rulebook import Rulebook
from policies.explorations.base import Scores
from policies.models.policy import Assessment
from policies.records.model_input import ModelInput


@dataclass(frozen=True)
class GaussianModel:
    """Scores (n,) that are normal with these means and one deviation, the same in all contexts.

    ``keys`` (n,) are the numbers of the noise that the sends get, so that sends can be reordered with their noise.
    """

    means: FloatArray
    deviation: float
    keys: Sequence[int] | None = None

    def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
        shape = len(inputs), len(self.means)
        p_out = np.linspace(0.01, 0.02, len(self.means))
        return Assessment(np.broadcast_to(self.means, shape), np.broadcast_to(p_out, shape), sample=self.sample)

    def sample(self, seeds: SeedArray, draws: int) -> FloatArray:
        return self.means + self.deviation * np.stack(
            [noise(seed, draws, len(self.means), self.keys) for seed in seeds]
        )


def noise(seed: int, draws: int, width: int, keys: Sequence[int] | None = None) -> FloatArray:
    """Return standard normal numbers (draws, width); ``keys`` reorders the columns."""
    columns = np.random.default_rng(int(seed)).normal(size=(draws, width))
    return columns if keys is None else columns[:, [*keys]]


def gaussian_scores(
    sends: FloatArray, hold: Sequence[bool], deviation: float = 1.0, keys: Sequence[int] | None = None, first: int = 0
) -> Scores:
    """Return scores with a normal posterior; the seed of a row is its number, counted from ``first``."""

    def sample(draws: int) -> FloatArray:
        tables = [noise(first + row, draws, sends.shape[1], keys) for row in range(len(sends))]
        return np.asarray(sends[:, None, :] + deviation * np.stack(tables))

    return Scores(sends, np.array(hold, dtype=np.bool_), sample)
