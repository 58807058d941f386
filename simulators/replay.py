"""Replay: real purchases in virtual time, each asking a shop for a decision, with simulated responses.

Time passes in ticks of one hour. In each, the outcomes that fall into it are told first, then the
purchases (as shopper events), then the decisions are asked for; every virtual day the clock is set.
All shops meet the same arrivals and the same random numbers.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from policies.actions import JointAction
from policies.catalogue import Catalogue
from policies.reward import rewarded
from policies.rows import OutcomeRow, Scalar
from simulators.buyer_response import Buyers, Notification, Response
from simulators.purchases import Purchase

TICK_S = 3_600.0
DAY_S = 86_400.0
FIRST_TRIGGERS = ("welcome", "first_order")


@dataclass(frozen=True)
class Arrival:
    """A purchase that asks for a decision."""

    event_id: str
    purchase: Purchase
    trigger: str
    context: dict[str, Scalar]


@dataclass(frozen=True)
class Told:
    """An outcome that the shop is told."""

    event_id: str
    response: Response


class Shop(Protocol):
    """What decides: the service over HTTP, or a policy in this process."""

    def tell(self, outcomes: Sequence[Told], now: float) -> None:
        """Take outcomes in."""
        ...

    def saw(self, purchases: Sequence[Purchase], now: float) -> None:
        """Take purchases in, as shopper events."""
        ...

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        """Decide for each arrival, in order; None is a hold."""
        ...

    def reach(self, now: float) -> None:
        """Let time pass."""
        ...


@dataclass
class Record:
    """What became of one decision."""

    at: float
    shopper: str
    action: JointAction | None
    outcomes: list[Response] = field(default_factory=list)
    reached: bool = False

    def reward(self, catalogue: Catalogue) -> float:
        """Give the realised reward; a hold, or a send that never left, has none."""
        if self.action is None or not self.reached:
            return 0.0
        rows = [OutcomeRow(each.at, "", each.type, each.at, each.value) for each in self.outcomes]
        cost = catalogue.channels[self.action.channel].cost + catalogue.messages[self.action.message].cost
        return rewarded(rows, catalogue.reward, cost).reward

    def had(self, kind: str) -> bool:
        """Tell whether an outcome of a type came."""
        return any(outcome.type == kind for outcome in self.outcomes)


@dataclass(order=True)
class _Scheduled:
    send_at: float
    number: int
    shopper: str = field(compare=False)
    event_id: str = field(compare=False)
    action: JointAction = field(compare=False)


class Replay:
    """Runs one shop through the purchases.

    Parameters
    ----------
    catalogue
        The shop's: it tells the categories of messages.
    seed
        Decides who the buyers are and how they respond.
    """

    def __init__(self, shop: Shop, catalogue: Catalogue, seed: int) -> None:
        self._shop = shop
        self._catalogue = catalogue
        self._seed = seed
        self._buyers = Buyers(seed)
        self._scheduled: list[_Scheduled] = []
        self._coming: list[tuple[float, int, Told]] = []
        self._told = itertools.count()
        self._left: dict[tuple[str, str], float] = {}
        self._known: set[str] = set()
        self.records: dict[str, Record] = {}

    def run(self, purchases: Sequence[Purchase], progress: Callable[[int], None] = lambda _: None) -> list[Record]:
        """Replay all purchases; give the records in their order."""
        day = purchases[0].at // DAY_S
        for tick, group in groupby(purchases, key=lambda purchase: purchase.at // TICK_S):
            start = tick * TICK_S
            for midnight in _midnights(day, start // DAY_S):
                self._pass(midnight)
            day = start // DAY_S
            self._step(start, list(group), progress)
        for midnight in _midnights(day, day + 4):
            self._pass(midnight)
        return list(self.records.values())

    def _pass(self, midnight: float) -> None:
        self._deliver(midnight)
        self._tell(midnight)
        self._shop.reach(midnight)

    def _step(self, start: float, purchases: list[Purchase], progress: Callable[[int], None]) -> None:
        self._deliver(start + TICK_S)
        self._tell(start + TICK_S, now=start)
        self._shop.saw(purchases, start)
        arrivals = [self._arrival(purchase) for purchase in purchases]
        for arrival, action in zip(arrivals, self._shop.decide(arrivals), strict=True):
            self._take(arrival, action)
        progress(len(purchases))

    def _arrival(self, purchase: Purchase) -> Arrival:
        event_id = f"replay-{self._seed}-{purchase.invoice}"
        trigger = "post_purchase"
        if purchase.shopper not in self._known:
            self._known.add(purchase.shopper)
            trigger = FIRST_TRIGGERS[len(self._known) % 2]
        context: dict[str, Scalar] = {"device": self._buyers.device(purchase.shopper)}
        return Arrival(event_id, purchase, trigger, context)

    def _take(self, arrival: Arrival, action: JointAction | None) -> None:
        at, shopper = arrival.purchase.at, arrival.purchase.shopper
        self.records[arrival.event_id] = Record(at, shopper, action)
        if action is not None:
            scheduled = _Scheduled(at + action.delay_s, len(self.records), shopper, arrival.event_id, action)
            heapq.heappush(self._scheduled, scheduled)

    def _deliver(self, until: float) -> None:
        """Let what is due reach its buyers, unless they have withdrawn consent before."""
        while self._scheduled and self._scheduled[0].send_at < until:
            due = heapq.heappop(self._scheduled)
            if self._left.get((due.shopper, due.action.channel), float("inf")) <= due.send_at:
                continue
            category = self._catalogue.messages[due.action.message].category
            notification = Notification(due.event_id, due.action.channel, category, due.send_at)
            self.records[due.event_id].reached = True
            for response in self._buyers.respond(due.shopper, notification):
                if response.type == "opt_out":
                    self._left.setdefault((due.shopper, due.action.channel), response.at)
                self.records[due.event_id].outcomes.append(response)
                told = Told(due.event_id, response)
                heapq.heappush(self._coming, (response.at, next(self._told), told))

    def _tell(self, until: float, *, now: float | None = None) -> None:
        due: list[Told] = []
        while self._coming and self._coming[0][0] < until:
            due.append(heapq.heappop(self._coming)[2])
        if due:
            self._shop.tell(due, until if now is None else now)


def _midnights(day: float, until: float) -> Iterator[float]:
    """Give the midnights after one day up to the beginning of another."""
    return (number * DAY_S for number in range(int(day) + 1, int(until) + 1))
