"""The shop: what shoppers deal with, as a port; behind it a policy in this process, or the service over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from policies.catalogue.action_space import JointAction
from policies.records.outcomes import OutcomeType
from policies.records.rows import Scalar


@dataclass(frozen=True)
class Trigger:
    """A trigger: what happened to a shopper, with what the templates need."""

    type: str
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrival:
    """A request for a decision; ``at`` in epoch seconds."""

    event_id: str
    shopper_id: str
    happenings: tuple[Trigger, ...]
    at: float
    context: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """An outcome that the shop is told."""

    event_id: str
    type: OutcomeType
    at: float
    value: float = 0.0


@dataclass(frozen=True)
class ShopperEvent:
    """Something a shopper did, which the shop sees."""

    shopper_id: str
    type: str
    at: float
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class ConsentChange:
    """Consent that a shopper gives or withdraws."""

    shopper_id: str
    consent: Mapping[str, bool]


class Shop(Protocol):
    """What decides."""

    def wishes(self, wishes: Sequence[ConsentChange], now: float) -> None:
        """Take changes of consent in."""
        ...

    def tell(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Take outcomes in."""
        ...

    def saw(self, acts: Sequence[ShopperEvent], now: float) -> None:
        """Take what shoppers did in."""
        ...

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        """Decide for each arrival, in order; None is a hold."""
        ...

    def reach(self, now: float) -> None:
        """Let time pass: what was learned so far is served from here on."""
        ...


def shopper_id(number: int) -> str:
    """Name a shopper."""
    return f"s-{number}"


def shopper_number(name: str) -> int:
    """Give the number of a shopper that `shopper_id` named.

    >>> shopper_number(shopper_id(7))
    7
    """
    return int(name.removeprefix("s-"))
