"""The shopper's state: what is known of one shopper, folded from the log's rows about the shopper.

The fold (`policies.shopper.fold`) is pure and the same everywhere: the service keeps its result in Redis, the simulator
and the replay keep it in memory. The state is bounded: sends that no rule needs any more are dropped and counted, see
`policies.shopper.retention`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter

import msgspec

from policies.records.quiet_hours import QuietHours
from policies.records.rows import Row, TriggerRecord
from policies.sends.departure import departure_of, departure_time
from policies.sends.stages import status_at
from policies.sends.status import EXPIRED
from policies.shopper.summaries import Activity, Affinities, Response, Responses

HORIZON_S = 31 * 86_400.0
"""How far back the rules of most catalogues look at most; a state keeps its sends at least as long."""


class Send(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A send that takes a place under the rules.

    Parameters
    ----------
    send_at
        The time at which the send is or was sent: when the gate let it leave, where the gate was asked.
    critical
        Whether the send answers a critical trigger: it counts under no rule.
    deferred
        Whether the send waits for its activation: it takes its place, but has not been sent.
    occurred_at, ends_on
        When the trigger occurred that the send answers, and the types of shopper events that end this trigger; None
        and empty where nothing ends it.
    decided_for
        Of a send that the gate has let leave: the send time as it was decided, on whose day the budget pays for it.
    p_click
        The click probability that was predicted for the send, as `exact_probability`; None where nothing was predicted.
    product_category
        The category of the product that the send is about, as `short_name`; empty where it is not known.
    """

    event_id: str
    send_at: float
    message: str
    channel: str
    category: str
    critical: bool = False
    cost: float = 0.0
    deferred: bool = False
    clicked: bool = False
    window_ends_at: float | None = None
    occurred_at: float | None = None
    ends_on: tuple[str, ...] = ()
    decided_for: float | None = None
    p_click: float | None = None
    product_category: str = ""

    @property
    def left_at(self) -> float | None:
        """When the gate let the send leave; None where it did not, or where a row of an earlier version says so."""
        return None if self.decided_for is None else self.send_at

    @property
    def paid_at(self) -> float:
        """The time on whose UTC day the budget pays for the send."""
        return self.send_at if self.decided_for is None else self.decided_for

    def activate(self, row: Row) -> Send:
        """Return the send after the gate has let it leave by a row."""
        decided_for = None if departure_of(row) is None else self.send_at
        send_at = departure_time(self.send_at, row)
        return msgspec.structs.replace(self, deferred=False, send_at=send_at, decided_for=decided_for)

    def has_left(self, now: float) -> bool:
        """Return whether the send was sent by a time: whether `status_at` says so."""
        return self.send_at <= now and not self.deferred

    def response(self, now: float) -> Response:
        """Return what became of the send by a time.

        The click probability counts from the end of the attribution window on; before, a click may still come.
        """
        ends_at = self.window_ends_at
        return self.clicked, None if ends_at is None or ends_at > now else self.p_click

    def has_expired(self, now: float) -> bool:
        """Return whether the send waited in vain for its activation."""
        return self.deferred and status_at(self, now) is EXPIRED


_IN_ORDER = attrgetter("send_at", "event_id")


class Purchases(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Recency, frequency and value of the shopper's orders."""

    count: int = 0
    value: float = 0.0
    last_at: float | None = None


class ShopperState(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is known of one shopper.

    Parameters
    ----------
    consent, reachable
        By channel, as far as rows of the log say; the catalogue's defaults hold for the other channels.
    erased
        Whether the shopper was erased: the catalogue's defaults give no channel consent any more.
    subscribed
        False withholds consent on every channel; None where the shopper has not said.
    withheld
        The latest date of the words that withhold, by path (see `policies.records.withholding`).
    sends
        The sends that take a place, in the order of their send time.
    by_channel, by_category
        Counts of the responses to sends that are too old to be among ``sends``.
    clicked_at
        The time of the latest click.
    did
        The latest time of each type of shopper event.
    did_by_outcome
        The same of the outcomes that count as such an event where it ends triggers: a conversion counts as a purchase.
    seen_at
        The latest time of a row about the shopper.
    active_at
        The latest time at which the shopper did something.
    """

    consent: dict[str, bool] = {}
    reachable: dict[str, bool] = {}
    muted_categories: tuple[str, ...] = ()
    max_per_week: int | None = None
    quiet_hours: QuietHours | None = None
    time_zone: str | None = None
    locale: str | None = None
    erased: bool = False
    sends: tuple[Send, ...] = ()
    by_channel: dict[str, Responses] = {}
    by_category: dict[str, Responses] = {}
    clicked_at: float | None = None
    purchases: Purchases = Purchases()
    did: dict[str, float] = {}
    activity: Activity = Activity()
    categories: Affinities = {}
    products: Affinities = {}
    seen_at: float | None = None
    active_at: float | None = None
    subscribed: bool | None = None
    withheld: dict[str, float] = {}
    did_by_outcome: dict[str, float] = {}

    def has_ended(self, trigger: TriggerRecord, decided_at: float) -> bool:
        """Return whether the shopper has done something that ends a trigger.

        >>> cart = TriggerRecord("cart_abandoned", 2, 900.0, occurred_at=10.0, ends_on=("purchase",))
        >>> ShopperState(did={"purchase": 10.0}).has_ended(cart, 20.0)
        False
        >>> ShopperState(did={"purchase": 11.0}).has_ended(cart, 20.0)
        True
        """
        occurred_at = trigger.time(decided_at)
        return any(
            times.get(kind, occurred_at) > occurred_at
            for kind in trigger.ends_on
            for times in (self.did, self.did_by_outcome)
        )

    def with_send(self, send: Send) -> ShopperState:
        """Return the state with a send; the send replaces another one of the same decision."""
        return self._with_sends([other for other in self.sends if other.event_id != send.event_id], send)

    def with_claim(self, send: Send) -> ShopperState:
        """Return the state with a place that is reserved ahead of the log.

        The place stands beside other places of the same decision: a repeat of the request may have drawn another send
        than the one in the log, and must not take that one's place away.
        """
        return self if send in self.sends else self._with_sends(self.sends, send)

    def _with_sends(self, sends: Iterable[Send], send: Send) -> ShopperState:
        return msgspec.structs.replace(self, sends=tuple(sorted([*sends, send], key=_IN_ORDER)))

    def without_send(self, event_id: str) -> ShopperState:
        """Return the state with the place of a decision's send released."""
        return msgspec.structs.replace(self, sends=tuple(send for send in self.sends if send.event_id != event_id))

    def send_of(self, event_id: str) -> Send | None:
        """Return the send of a decision, None where it has no place (any more)."""
        return next((send for send in self.sends if send.event_id == event_id), None)


NEW_SHOPPER = ShopperState()


def counted_sends(state: ShopperState, now: float, *, but: str | None = None) -> Iterator[Send]:
    """Yield the sends that count under the rules: no critical or expired ones, and not the send of decision ``but``."""
    return (send for send in state.sends if not send.critical and send.event_id != but and not send.has_expired(now))
