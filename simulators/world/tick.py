"""What happened in one hour of the world, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from policies.records.outcomes import OutcomeType
from simulators.arrays import FloatArray, Indices
from simulators.shoppers.response import Chances


@dataclass
class TickOutcomes:
    """Outcomes of one type, as columns (n,).

    Attributes
    ----------
    tickets
        The sender's numbers of the sends.
    at
        When the outcomes happened, in hours of the calendar.
    values
        Order values of conversions and refunds; None for other types.
    """

    kind: OutcomeType
    tickets: Indices
    at: FloatArray
    values: FloatArray | None = None


@dataclass
class TickEvents:
    """Shopper events of one type, as columns (n,); ``category`` is the number of a product category."""

    kind: str
    shoppers: Indices
    at: FloatArray
    category: NDArray[np.int8] | None = None
    values: FloatArray | None = None


@dataclass
class TickTriggers:
    """Triggers of one type, as columns (n,); ``category`` is the number of a product category."""

    kind: str
    shoppers: Indices
    category: NDArray[np.int8] | None = None


@dataclass
class Tick:
    """What happened in one hour.

    Attributes
    ----------
    hour
        The number of the hour, counted from the start of the calendar.
    outcomes, events, triggers
        In the order in which they arose.
    joined
        Shoppers who joined in this hour.
    uninstalled
        Shoppers who uninstalled the app: their consent to push and in-app ended.
    visitors
        One array for each kind of visit: without a message, after a click, after a message without a click.
    chances
        Tickets of the seen messages, and the true probabilities of the reactions. Shops must not use them.
    """

    hour: int
    outcomes: list[TickOutcomes] = field(default_factory=list)
    events: list[TickEvents] = field(default_factory=list)
    triggers: list[TickTriggers] = field(default_factory=list)
    joined: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    uninstalled: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    visitors: list[Indices] = field(default_factory=list)
    chances: list[tuple[Indices, Chances]] = field(default_factory=list)
