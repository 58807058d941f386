"""The oracle: a policy that knows the true probabilities, and chooses the best send for now."""

from __future__ import annotations

from collections.abc import Sequence

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Assessment, AssessmentTable, Policy
from policies.records.rows import Row
from simulators.shops.base import Arrival
from simulators.shops.foresight import Foresight
from simulators.truth.truth import Truth


class OraclePolicy:
    """A policy source that is greedy by the truth: expected reward - price · P(opt-out) - load price · load.

    The oracle does not know the future. The prices alone say what a send now costs later.

    Parameters
    ----------
    price
        Price of an opt-out, in addition to the catalogue's consent value (λ).
    load_price
        Price of the load of one push that is seen (ν).
    """

    def __init__(self, truth: Truth, rulebook: Rulebook, price: float = 0.0, load_price: float = 0.0) -> None:
        for name, value in (("price", price), ("load_price", load_price)):
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"{name} must be a number of at least 0, not {value}")
        self._foresight = Foresight(truth, rulebook)
        self._price = price
        self._load_price = load_price

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        """Return a policy that knows how the shoppers of these arrivals would react."""
        prospects = self._foresight.prospects(arrivals)
        scores = prospects.reward - self._price * prospects.out - self._load_price * prospects.load
        rows = {arrival.event_id: row for row, arrival in enumerate(arrivals)}
        return Policy("oracle", AssessmentTable(rows, Assessment(scores, prospects.out)), epsilon=0.0)

    def fold(self, row: Row) -> None:
        """Learn nothing."""

    def advance_clock(self, now: float) -> None:
        """Change nothing."""
