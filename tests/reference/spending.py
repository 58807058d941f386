"""The costs of sends, by the channel and the UTC day whose budget pays for the sends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.reference.shopper import Reservation

DAY_S = 86_400


@dataclass(frozen=True)
class Cost:
    """The cost of a send, which counts until its reservation is released."""

    amount: Decimal
    shopper_id: str
    reservation: Reservation


@dataclass
class Spending:
    """All costs so far; the costs of sends that left before an erasure stay, whatever rows follow."""

    paid_for_good: set[str] = field(default_factory=set)
    _by_day: dict[tuple[str, int], dict[str, Cost]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, cost: Cost) -> None:
        reservation = cost.reservation
        self._of_day(reservation.channel, reservation.paid_at)[reservation.event_id] = cost

    def move(self, before: Reservation, after: Reservation) -> None:
        """Let the day pay whose budget pays for the send by now."""
        cost = self._of_day(before.channel, before.paid_at).pop(before.event_id)
        self.add(replace(cost, reservation=after))

    def costs(self, channel: str, at: float) -> Iterator[Cost]:
        """Yield the costs of a channel on the UTC day of a time."""
        yield from self._of_day(channel, at).values()

    def days(self) -> list[tuple[str, int]]:
        """Return the channels and days on which something was spent."""
        return list(self._by_day)

    def _of_day(self, channel: str, at: float) -> dict[str, Cost]:
        return self._by_day[channel, int(at // DAY_S)]
