"""The oracle: a policy that knows the true probabilities, and chooses the best send for now."""

from __future__ import annotations

from dataclasses import dataclass

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Assessment, Policy
from policies.records.rows import Context, Row
from simulators.parameters import warmth
from simulators.shops.base import Arrival, shopper_number
from simulators.world.truth import Prospects, Truth


@dataclass(frozen=True)
class TrueModel:
    """Scores by the truth: expected reward - price · P(opt-out) - load price · load."""

    prospects: Prospects
    price: float
    load_price: float

    def assess(self, context: Context, rulebook: Rulebook) -> Assessment:
        """Score every send."""
        own = self.prospects
        return Assessment(own.reward - self.price * own.out - self.load_price * own.load, own.out)


class OraclePolicy:
    """Greedy by the truth: it sees nothing of the future, so it weighs later sends by prices alone.

    Parameters
    ----------
    price
        Of an opt-out, beyond the catalogue's consent value (λ).
    load_price
        Of the load of a push that is seen (ν).
    """

    def __init__(self, truth: Truth, rulebook: Rulebook, price: float = 0.0, load_price: float = 0.0) -> None:
        for name, value in (("price", price), ("load_price", load_price)):
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"{name} must be a number of at least 0, not {value}")
        self._truth = truth
        self._answered = [frozenset(message.triggers) for message in rulebook.catalogue.messages.values()]
        self._price = price
        self._load_price = load_price

    def policy(self, arrival: Arrival) -> Policy:
        """Give the policy that knows what this arrival's shopper would do."""
        kinds = {each.type for each in arrival.happenings}
        warm = {
            number: max(map(warmth, kinds & answered))
            for number, answered in enumerate(self._answered)
            if kinds & answered
        }
        if not warm:
            return Policy("oracle")  # nothing answers this: all that can be done is to hold
        prospects = self._truth.prospects(shopper_number(arrival.shopper_id), warm)
        return Policy("oracle", TrueModel(prospects, self._price, self._load_price), epsilon=0.0)

    def take(self, row: Row) -> None:
        """Learn nothing: it knows."""

    def reach(self, now: float) -> None:
        """Stay the same."""
