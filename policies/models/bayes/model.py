"""The model of the policies `bayes`: the posterior of four heads, and the scores that follow from it.

The scores are those of the posterior means of the probabilities. A sample draws the weights of all heads once for each
draw, for all sends, and makes the same computation with the probabilities that follow.

References
----------
Chapelle & Li (2011), An empirical evaluation of Thompson sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from policies.arrays import FloatArray, SeedArray
from policies.catalogue.rulebook import Rulebook
from policies.heads.posterior import CompiledHeads, Posterior, draw_normals
from policies.heads.snapshot import HeadsMismatch
from policies.heads.tables import CLICK, OUT
from policies.learning.model_learner import ModelMismatch
from policies.models.bayes.input_features import features_of
from policies.models.bayes.prices import PriceOfSend
from policies.models.bayes.snapshot import BayesSnapshot
from policies.models.bayes.worth import RequestWorth, SendWorth, request_worth
from policies.models.policy import Assessment
from policies.records.model_input import ModelInput

_ROWS_AT_ONCE = 16
"""For how many inputs scores are drawn at once: the draws of a large batch then need little memory, and those of each
part stay in the processor's cache."""

_FREE = PriceOfSend()


@dataclass(frozen=True)
class BayesModel:
    """Scores sends by a model version: see `worth`. The reward of opens counts for nothing, as no head predicts opens.

    Parameters
    ----------
    snapshot
        The model version.
    heads
        Its heads, compiled for the catalogue version.
    worth
        What sends are worth.
    prices
        What a send costs later.
    """

    snapshot: BayesSnapshot
    heads: CompiledHeads
    worth: SendWorth
    prices: PriceOfSend

    @classmethod
    def of(cls, snapshot: BayesSnapshot, rulebook: Rulebook, prices: PriceOfSend = _FREE) -> BayesModel:
        """Compile a model version for a catalogue version.

        Raises
        ------
        ModelMismatch
            When the heads were learned with other tables.
        """
        try:
            heads = CompiledHeads(snapshot.heads, rulebook.space)
        except HeadsMismatch as error:
            raise ModelMismatch(str(error)) from None
        return cls(snapshot, heads, SendWorth.of(snapshot, rulebook, prices), prices)

    def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
        """Return scores, probabilities and a sampler of all sends for each input; HOLD's score is exactly 0."""
        features = [features_of(model_input, rulebook.space.delays_s) for model_input in inputs]
        prices = [model_input.price for model_input in inputs]
        requests = request_worth(self.snapshot, prices, features, rulebook, self.prices)
        posterior = self.heads.posterior(features)
        means = posterior.probabilities()
        return Assessment(
            scores=self.worth.score(means, requests)[:, 0],
            p_out=means[OUT.name].spread()[:, 0],
            p_click=means[CLICK.name].spread()[:, 0],
            sample=partial(self._sample, posterior, requests),
        )

    def _sample(self, posterior: Posterior, requests: RequestWorth, seeds: SeedArray, draws: int) -> FloatArray:
        """Sample scores (inputs, M, n), each input from a random stream of its seed."""
        tables = np.empty((len(seeds), draws, requests.costs.shape[1]))
        for start in range(0, len(seeds), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            streams = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds[rows].tolist()]
            normals = draw_normals(streams, draws, self.heads.cells)
            drawn = posterior.part(rows).draw_probabilities(normals)
            tables[rows] = self.worth.score(drawn, requests.part(rows))
        return tables
