"""Recognition: the shop knows a visit only if it recognises the shopper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulators.arrays import BoolArray, Indices
from simulators.random_streams import Purpose, RandomStreams
from simulators.scenarios.report_rules import ReportRules
from simulators.world.tick import Tick, TickEvents, TickTriggers

_OF_VISITS = frozenset({"session", "product_view", "product_viewed", "cart_abandoned", "wishlist"})
"""Events and triggers of visits, which the shop knows only if it recognises the shopper."""


class Recognition:
    """Selects the events and triggers that the shop knows: visits need recognition, all others do not."""

    def __init__(self, rules: ReportRules, streams: RandomStreams) -> None:
        self._rules = rules
        self._streams = streams

    def select_events(self, tick: Tick) -> list[TickEvents]:
        """Return the events of an hour that the shop knows."""
        known_events = []
        for events in tick.events:
            if events.kind in _OF_VISITS:
                known = self._recognises(tick.hour, events.shoppers)
                category = None if events.category is None else events.category[known]
                events = replace(events, shoppers=events.shoppers[known], at=events.at[known], category=category)
            known_events.append(events)
        return known_events

    def select_triggers(self, tick: Tick) -> list[TickTriggers]:
        """Return the triggers of an hour that the shop knows."""
        known_triggers = []
        for triggers in tick.triggers:
            if triggers.kind in _OF_VISITS:
                known = self._recognises(tick.hour, triggers.shoppers)
                category = None if triggers.category is None else triggers.category[known]
                triggers = TickTriggers(triggers.kind, triggers.shoppers[known], category)
            known_triggers.append(triggers)
        return known_triggers

    def _recognises(self, hour: int, shoppers: Indices) -> BoolArray:
        """Return in which of the visits of an hour the shop recognises the shopper."""
        (uniform,) = self._streams.uniforms(hour, [Purpose.recognised], shoppers)
        return np.asarray(uniform < self._rules.recognised)
