"""The truth of arrivals: the expected effect of every joint action on the shopper of a request for a decision."""

from __future__ import annotations

from policies.catalogue.rulebook import Rulebook
from simulators.shops.base import Arrival, shopper_number
from simulators.world.truth import Prospects, Truth
from simulators.world.world import World


class TruthOfArrivals:
    """Computes prospects, with the warmth of the triggers that a request names.

    Parameters
    ----------
    world
        A world with the messages ``Messages.of(rulebook)``.
    """

    def __init__(self, world: World, rulebook: Rulebook) -> None:
        self._truth = Truth(world, rulebook)
        self._traits = world.scenario.parameters.triggers
        self._triggers_of = [frozenset(message.triggers) for message in rulebook.catalogue.messages.values()]

    def prospects(self, arrival: Arrival) -> Prospects | None:
        """Return the prospects of all joint actions; None where no message answers the triggers."""
        kinds = {trigger.type for trigger in arrival.triggers}
        warmth = {
            number: max(map(self._traits.warmth, kinds & answered))
            for number, answered in enumerate(self._triggers_of)
            if kinds & answered
        }
        return self._truth.prospects(shopper_number(arrival.shopper_id), warmth) if warmth else None
