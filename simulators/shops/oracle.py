"""The oracle: a policy that knows the true probabilities, and chooses the best send for now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Assessment, Policy
from policies.records.rows import Context, Row
from simulators.shops.base import Arrival, shopper_number
from simulators.world.truth import Prospects, Truth


@dataclass(frozen=True)
class TrueModel:
    """Scores sends by the truth: expected reward - price · P(opt-out) - load price · load."""

    prospects: Prospects
    price: float
    load_price: float

    def assess(self, contexts: Sequence[Context], rulebook: Rulebook) -> Assessment:
        truth = self.prospects
        scores = truth.reward - self.price * truth.out - self.load_price * truth.load
        return Assessment.of_all(contexts, scores, truth.out)


class OraclePolicy:
    """A policy source that is greedy by the truth.

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
        self._truth = truth
        self._triggers_of = [frozenset(message.triggers) for message in rulebook.catalogue.messages.values()]
        self._price = price
        self._load_price = load_price

    def policy_for(self, arrival: Arrival) -> Policy:
        """Return a policy that knows how this arrival's shopper would react."""
        kinds = {trigger.type for trigger in arrival.triggers}
        warmth = {
            number: max(map(self._truth.traits.warmth, kinds & answered))
            for number, answered in enumerate(self._triggers_of)
            if kinds & answered
        }
        if not warmth:
            return Policy("oracle")  # no message answers these triggers: only HOLD is left
        prospects = self._truth.prospects(shopper_number(arrival.shopper_id), warmth)
        return Policy("oracle", TrueModel(prospects, self._price, self._load_price), epsilon=0.0)

    def fold(self, row: Row) -> None:
        """Learn nothing."""

    def advance_clock(self, now: float) -> None:
        """Change nothing."""
