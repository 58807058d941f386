"""The shopper's state: what is known of one shopper, folded from the log's rows about them.

The fold is pure and the same everywhere: the service keeps its result in Redis, simulator and replay
keep it in memory. The state is bounded: sends older than `HORIZON_S` no longer bind any rule.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.rows import (
    WITHDRAWALS,
    DecisionRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    ShopperRow,
)

HORIZON_S = 31 * 86_400.0
"""No rule looks further back than this; the catalogue refuses longer windows."""

MAX_SENDS = 512
"""Sends kept at most: with caps of at most 256 per window this never hides a full cap."""


class Send(msgspec.Struct, frozen=True, array_like=True):
    """A place taken under the frequency caps: a send that left or will leave at ``send_at``."""

    event_id: str
    send_at: float
    message: str
    channel: str
    critical: bool = False


class Purchases(msgspec.Struct, frozen=True, array_like=True):
    """Recency, frequency and value of the shopper's orders."""

    count: int = 0
    value: float = 0.0
    last_at: float | None = None


class ShopperState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one shopper.

    ``consent`` holds only channels that the shopper (or an opt-out) decided; the catalogue's defaults
    answer for the others. ``sends`` is in the order of `Send.send_at`. ``seen_at`` is the latest time
    of a row about the shopper, ``active_at`` the latest time of something the shopper did.
    """

    consent: dict[str, bool] = {}
    time_zone: str | None = None
    locale: str | None = None
    sends: tuple[Send, ...] = ()
    purchases: Purchases = Purchases()
    seen_at: float | None = None
    active_at: float | None = None

    def with_send(self, send: Send) -> ShopperState:
        """Add a send; one already there under its event_id is replaced."""
        others = (other for other in self.sends if other.event_id != send.event_id)
        sends = sorted((*others, send), key=lambda each: each.send_at)
        return msgspec.structs.replace(self, sends=tuple(sends[-MAX_SENDS:]))

    def without_sends(self, *event_ids: str) -> ShopperState:
        """Give back the places of the named decisions."""
        if not any(send.event_id in event_ids for send in self.sends):
            return self
        kept = tuple(send for send in self.sends if send.event_id not in event_ids)
        return msgspec.structs.replace(self, sends=kept)

    def withdrawn(self, channel: str, at: float, *, by: str | None = None) -> ShopperState:
        """Withdraw consent for a channel and void its sends ahead of ``at``, but the one it came ``by``."""
        kept = tuple(
            send for send in self.sends if send.channel != channel or send.send_at <= at or send.event_id == by
        )
        return msgspec.structs.replace(self.without_consent(channel), sends=kept)

    def without_consent(self, channel: str) -> ShopperState:
        """Withdraw consent for a channel from now on."""
        return msgspec.structs.replace(self, consent={**self.consent, channel: False})


NEW_SHOPPER = ShopperState()


def fold(state: ShopperState, row: ShopperRow) -> ShopperState:
    """Give the state after one more row about the shopper.

    >>> at = 1_700_000_000.0
    >>> state = fold(NEW_SHOPPER, EventRow(at, "s-1", "purchase", at, {"value": 20.0}))
    >>> state.purchases.count, state.purchases.value
    (1, 20.0)
    """
    match row:
        case DecisionRow(send_at=None):
            return state  # nothing was sent: nothing about the shopper changed
        case DecisionRow():
            state = _decided(state, row)
        case OutcomeRow():
            state = _answered(state, row)
        case EventRow():
            state = _acted(state, row)
        case PreferencesRow():
            state = _preferred(state, row)
    return _aged(state, row.at)


def _decided(state: ShopperState, row: DecisionRow) -> ShopperState:
    if row.send_at is None or row.message is None or row.channel is None:
        return state
    critical = row.drawn_trigger is not None and row.triggers[row.drawn_trigger].critical
    return state.with_send(Send(row.event_id, row.send_at, row.message, row.channel, critical))


def _answered(state: ShopperState, row: OutcomeRow) -> ShopperState:
    if row.type in WITHDRAWALS and row.channel is not None:
        return state.withdrawn(row.channel, row.at, by=row.event_id)
    if row.type == "bounce":
        return state.without_sends(row.event_id)
    return state


def _acted(state: ShopperState, row: EventRow) -> ShopperState:
    active_at = max(row.occurred_at, state.active_at or row.occurred_at)
    state = msgspec.structs.replace(state, active_at=active_at)
    if row.type != "purchase":
        return state
    before, value = state.purchases, row.attributes.get("value", 0.0)
    purchases = Purchases(
        count=before.count + 1,
        value=before.value + (float(value) if isinstance(value, int | float) else 0.0),
        last_at=max(row.occurred_at, before.last_at or row.occurred_at),
    )
    return msgspec.structs.replace(state, purchases=purchases)


def _preferred(state: ShopperState, row: PreferencesRow) -> ShopperState:
    for channel, consent in row.consent.items():
        if not consent:
            state = state.withdrawn(channel, row.at)
    return msgspec.structs.replace(
        state,
        consent={**state.consent, **row.consent},
        time_zone=row.time_zone or state.time_zone,
        locale=row.locale or state.locale,
    )


def _aged(state: ShopperState, at: float) -> ShopperState:
    seen_at = max(at, state.seen_at or at)
    sends = state.sends
    if sends and sends[0].send_at < seen_at - HORIZON_S:
        sends = tuple(send for send in sends if send.send_at >= seen_at - HORIZON_S)
    return msgspec.structs.replace(state, seen_at=seen_at, sends=sends)


def counted_sends(state: ShopperState, *, but: str | None = None) -> Iterator[Send]:
    """Give the sends that count under caps; critical ones take no place, nor does the decision itself."""
    return (send for send in state.sends if not send.critical and send.event_id != but)
