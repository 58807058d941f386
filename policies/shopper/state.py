"""The shopper's state: what is known of one shopper, folded from the log's rows about them.

The fold (`policies.shopper.fold`) is pure and the same everywhere: the service keeps its result in Redis,
simulator and replay keep it in memory. The state is bounded: sends that bind no rule any more live on as counts,
see `policies.shopper.retention`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from policies.records.rows import ACTIVATION_GRACE_S, QuietHours
from policies.shopper.summaries import Activity, Affinities, Responses

HORIZON_S = 31 * 86_400.0
"""No rule looks further back than this; the catalogue refuses longer windows."""


class Send(msgspec.Struct, frozen=True, array_like=True):
    """A place taken under the rules: a send that left or will leave at ``send_at``.

    A ``deferred`` one waits for its activation: it takes its place, but has not been sent. Activated late, a
    send leaves at that moment: ``send_at`` is when it really leaves.
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

    def activated(self, at: float) -> Send:
        """Give the send as it leaves: at its send time, or at ``at`` where that has passed."""
        return msgspec.structs.replace(self, deferred=False, send_at=max(self.send_at, at))

    def has_left(self, now: float) -> bool:
        """Tell whether it was sent by now."""
        return self.send_at <= now and not self.deferred

    def has_expired(self, now: float) -> bool:
        """Tell whether it waited in vain for its activation."""
        return self.deferred and now > self.send_at + ACTIVATION_GRACE_S


class Purchases(msgspec.Struct, frozen=True, array_like=True):
    """Recency, frequency and value of the shopper's orders."""

    count: int = 0
    value: float = 0.0
    last_at: float | None = None


class ShopperState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one shopper.

    ``consent`` and ``reachable`` hold only channels that were decided; the catalogue's defaults answer for
    the others. An ``erased`` shopper has withheld consent on every channel. ``sends`` is in the order of
    `Send.send_at`; ``by_channel`` and ``by_category`` count the responses to those too old to be among them.
    ``did`` holds the latest time of each type of shopper event. ``seen_at`` is the latest time of a row
    about the shopper, ``active_at`` the latest time of something the shopper did.
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

    def with_send(self, send: Send) -> ShopperState:
        """Add a send; one already there under its event_id is replaced."""
        return self._holding(*(other for other in self.sends if other.event_id != send.event_id), send)

    def with_claim(self, send: Send) -> ShopperState:
        """Add a place that is reserved ahead of the log, beside any other of its event.

        A repeat may have drawn another send than the one that is logged, and takes nothing away from it.
        """
        return self if send in self.sends else self._holding(*self.sends, send)

    def _holding(self, *sends: Send) -> ShopperState:
        ordered = sorted(sends, key=lambda each: (each.send_at, each.event_id))
        return msgspec.structs.replace(self, sends=tuple(ordered))

    def send_of(self, event_id: str) -> Send | None:
        """Give the place that a decision has taken, None when it has none (any more)."""
        return next((send for send in self.sends if send.event_id == event_id), None)

    def clicked(self, event_id: str) -> ShopperState:
        """Mark the named decision's send as clicked, where it still has a place."""
        send = self.send_of(event_id)
        return self if send is None else self.with_send(msgspec.structs.replace(send, clicked=True))

    def activated(self, event_id: str, at: float) -> ShopperState:
        """Let the named decision's send leave: at its send time, or at ``at`` where that has passed."""
        send = self.send_of(event_id)
        return self if send is None else self.with_send(send.activated(at))

    def without_sends(self, *event_ids: str) -> ShopperState:
        """Give back the places of the named decisions."""
        return self._keeping(lambda send: send.event_id not in event_ids)

    def withdrawn(self, channel: str, at: float, *, by: str | None = None) -> ShopperState:
        """Withdraw consent for a channel and void its sends ahead of ``at``, but the one it came ``by``."""
        kept = self._keeping(lambda send: send.channel != channel or send.send_at <= at or send.event_id == by)
        return kept.without_consent(channel)

    def without_consent(self, channel: str) -> ShopperState:
        """Withdraw consent for a channel from now on."""
        return msgspec.structs.replace(self, consent={**self.consent, channel: False})

    def _keeping(self, stays: Callable[[Send], bool]) -> ShopperState:
        kept = tuple(send for send in self.sends if stays(send))
        return self if len(kept) == len(self.sends) else msgspec.structs.replace(self, sends=kept)


NEW_SHOPPER = ShopperState()


def counted_sends(state: ShopperState, now: float, *, but: str | None = None) -> Iterator[Send]:
    """Give the sends that count under the rules: neither critical nor expired ones, nor the decision's own."""
    return (send for send in state.sends if not send.critical and send.event_id != but and not send.has_expired(now))
