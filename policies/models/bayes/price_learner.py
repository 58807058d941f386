"""Learns prices from every sixteenth decision, a group at a time."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import msgspec

from policies.catalogue.rulebook import Rulebook
from policies.models.bayes.model import BayesModel
from policies.models.bayes.price_estimates import PricedDecision, PriceSums, tire
from policies.models.bayes.snapshot import BayesSnapshot
from policies.records.rows import DecisionRow

_ONE_IN = 16
_GROUP = 64
"""Decisions that are scored at once: a model is compiled for each group."""


class PriceLearner(msgspec.Struct):
    """The sums, and the decisions that wait until their group is full.

    Which decisions count depends on their event ids alone. A group is scored by what was learned when the group is
    full. Decisions of an earlier catalogue version that still wait are dropped.
    """

    sums: PriceSums = PriceSums()
    waiting: list[PricedDecision] = []
    version: int = 0

    def see(self, row: DecisionRow, rulebook: Rulebook, snapshot: Callable[[], BayesSnapshot]) -> None:
        """See a decision; ``snapshot`` returns what was learned so far."""
        if zlib.crc32(row.event_id.encode()) % _ONE_IN or (decision := PricedDecision.of(row, rulebook)) is None:
            return
        if self.version != rulebook.version:
            self.waiting, self.version = [], rulebook.version
        self.waiting.append(decision)
        if len(self.waiting) == _GROUP:
            self._add(rulebook, snapshot())
            self.waiting = []

    def _add(self, rulebook: Rulebook, snapshot: BayesSnapshot) -> None:
        """Score the group, and the group with one send more in the loads.

        The scores are without the price of load: that price is what the difference is about.
        """
        without_price = msgspec.structs.replace(snapshot.prices, load=0.0)
        model = BayesModel.of(msgspec.structs.replace(snapshot, prices=without_price), rulebook)
        inputs = [decision.model_input for decision in self.waiting]
        scores = model.assess(inputs, rulebook).scores
        tired = model.assess([*map(tire, inputs)], rulebook).scores
        self.sums = self.sums.plus(self.waiting, scores, tired, rulebook)
