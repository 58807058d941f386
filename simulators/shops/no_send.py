"""A shop that holds every decision, to show what shoppers do without messages."""

from __future__ import annotations

from collections.abc import Sequence

from policies.catalogue.action_space import JointAction
from simulators.shops.base import Arrival, ConsentChange, Outcome, ShopperEvent


class NoSendShop:
    """Sends nothing, and remembers nothing."""

    def change_consent(self, changes: Sequence[ConsentChange], now: float) -> None:
        """Change nothing."""

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Record nothing."""

    def record_events(self, events: Sequence[ShopperEvent], now: float) -> None:
        """Record nothing."""

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        return [None] * len(arrivals)

    def advance_clock(self, now: float) -> None:
        """Change nothing."""
