"""A fault, and what the service did under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What was seen while a fault lasted.

    Attributes
    ----------
    broken
        What broke the rule, each in one sentence; empty when the rule held.
    outage_s
        The longest time without a normal answer to a caller.
    """

    broken: tuple[str, ...]
    outage_s: float

    @property
    def held(self) -> bool:
        """Whether the rule held."""
        return not self.broken


@dataclass(frozen=True)
class Fault:
    """A fault that can be repeated.

    Attributes
    ----------
    number
        Where the fault stands in the table.
    name
        Stable name of the fault; results carry it.
    action
        What is done to the service.
    rule
        What must hold nevertheless.
    repeat
        Starts a service with its data in the directory, does the action, and returns what was seen.
    """

    number: int
    name: str
    action: str
    rule: str
    repeat: Callable[[Path], Outcome]


@dataclass(frozen=True)
class Repeated:
    """A fault with its outcome."""

    fault: Fault
    outcome: Outcome
