"""The port between a simulation and a shop: a policy in this process, or the service over HTTP.

What passes the port are structs of msgspec, because a simulation makes very many of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from policies.catalogue.action_space import JointAction
from policies.records.outcomes import OutcomeType
from policies.records.rows import Scalar


class SimulatedTrigger(msgspec.Struct, frozen=True, gc=False):
    """A trigger of a simulated shopper, with the attributes that templates need."""

    type: str
    attributes: Mapping[str, Scalar] = {}


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A request for a decision; ``at`` in epoch seconds.

    In a campaign the shop asks by itself: nothing happened, so that its triggers make no message more welcome.
    """

    event_id: str
    shopper_id: str
    triggers: tuple[SimulatedTrigger, ...]
    at: float
    context: Mapping[str, Scalar] = {}
    campaign: bool = False


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """An outcome of a send; ``at`` in epoch seconds."""

    event_id: str
    type: OutcomeType
    at: float
    value: float = 0.0


class ShopperEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that a shopper did in the shop; ``at`` in epoch seconds."""

    shopper_id: str
    type: str
    at: float
    attributes: Mapping[str, Scalar] = {}


class ConsentChange(msgspec.Struct, frozen=True, gc=False):
    """Consent by channel that a shopper gives (true) or withdraws (false)."""

    shopper_id: str
    consent: Mapping[str, bool]


class Shop(Protocol):
    """A shop that decides for simulated shoppers. All times are epoch seconds."""

    def change_consent(self, changes: Sequence[ConsentChange], now: float) -> None: ...

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None: ...

    def record_events(self, events: Sequence[ShopperEvent], now: float) -> None: ...

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        """Return one decision for each arrival, in the same order; None is HOLD."""
        ...

    def advance_clock(self, now: float) -> None:
        """Let time pass: later decisions use what the shop has learned until now."""
        ...


def shopper_id(number: int) -> str:
    """Return the id of a shopper of the world."""
    return f"s-{number}"


def shopper_number(name: str) -> int:
    """Return the number of the shopper with an id that `shopper_id` made.

    >>> shopper_number(shopper_id(7))
    7
    """
    return int(name.removeprefix("s-"))
