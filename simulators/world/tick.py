"""An hour: everything that became known in one tick, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from policies.records.outcomes import OutcomeType
from simulators.shoppers.response import Chances

Rows = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TickOutcomes:
    """TickOutcomes of one type: tickets (the senders' numbers), when they happened (calendar hours), values."""

    kind: OutcomeType
    tickets: Rows
    at: FloatArray
    values: FloatArray | None = None


@dataclass(frozen=True)
class Events:
    """What shoppers did by themselves, of one type; ``category`` is a product category's number."""

    kind: str
    shoppers: Rows
    at: FloatArray
    category: NDArray[np.int8] | None = None
    values: FloatArray | None = None


@dataclass(frozen=True)
class Triggers:
    """Occasions to notify shoppers, of one type."""

    kind: str
    shoppers: Rows
    category: NDArray[np.int8] | None = None


@dataclass
class Tick:
    """What one tick brought.

    Attributes
    ----------
    tick
        The hour that has passed, counted from the calendar's start.
    outcomes, events, triggers
        In the order in which they arose.
    joined
        Shoppers who are there from this hour on.
    uninstalled
        Shoppers who ended push and in-app at once.
    visitors
        One array per kind of visit: own, after a click, after a message that was only read.
    chances
        Tickets of messages seen, and the true probabilities of what came of them. No shop knows these.
    """

    tick: int
    outcomes: list[TickOutcomes] = field(default_factory=list)
    events: list[Events] = field(default_factory=list)
    triggers: list[Triggers] = field(default_factory=list)
    joined: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    uninstalled: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    visitors: list[Rows] = field(default_factory=list)
    chances: list[tuple[Rows, Chances]] = field(default_factory=list)
