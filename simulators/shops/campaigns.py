"""Campaigns: the planner's own questions about shoppers for whom nothing happened.

Where shoppers rarely come, they give few triggers, and a shop that writes to everybody by the calendar earns more than
any policy that waits. On the days of a campaign the planner looks at all shoppers: it asks about those for whom a
message is worth its price now, with a trigger that this message answers. The guardrails hold as for every request.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.shops.later_costs import LaterCosts
from simulators.truth.truth import Truth
from simulators.world.world import World

CAMPAIGN_HOUR = 19
"""Hour of the day: many shoppers are active, and no quiet hours of the example catalogue have begun."""

_DAY_H = 24
_NOBODY = np.empty(0, dtype=np.int64)


class Campaigns:
    """Chooses the shoppers of a campaign, and scores the sends to them."""

    def __init__(self, world: World, rulebook: Rulebook, truth: Truth, costs: LaterCosts) -> None:
        self._world = world
        self._truth = truth
        self._costs = costs
        known = rulebook.catalogue.triggers
        self._message_of = rulebook.space.message_of
        self._trigger_of = [
            next((kind for kind in message.triggers if kind in known), None)
            for message in rulebook.catalogue.messages.values()
        ]
        self._assessed: dict[int, tuple[FloatArray, FloatArray]] = {}

    def address(self) -> Mapping[int, str]:
        """Return the shoppers about whom the shop asks by itself now, each with a type of trigger."""
        day, hour = divmod(self._world.hour, _DAY_H)
        per_week = self._costs.campaigns
        # Of 7 days, those with another whole number of campaigns so far are the days of a campaign.
        is_day = (day % 7 + 1) * per_week // 7 > day % 7 * per_week // 7
        shoppers = np.flatnonzero(self._world.has_joined & is_day) if hour == CAMPAIGN_HOUR else _NOBODY
        if not len(shoppers):
            return {}
        prospects = self._truth.prospects(shoppers, np.zeros((len(shoppers), len(self._trigger_of))))
        scores = self._costs.score(shoppers, prospects)
        best = scores.argmax(axis=1)
        addressed: dict[int, str] = {}
        for row in np.flatnonzero(scores.max(axis=1) > 0.0).tolist():
            kind = self._trigger_of[self._message_of[best[row]]]
            if kind is not None:
                addressed[int(shoppers[row])] = kind
                self._assessed[int(shoppers[row])] = scores[row], prospects.out[row]
        return addressed

    def assess(self, shopper: int) -> tuple[FloatArray, FloatArray]:
        """Return scores and opt-out probabilities of all joint actions (n,) for a shopper of this campaign."""
        return self._assessed.pop(shopper)
