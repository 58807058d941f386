"""The fold of a shopper's state: what one more row of the log changes about it."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from policies.records.rows import (
    WITHDRAWALS,
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    ShopperRow,
)
from policies.sends import bounces, refuses
from policies.shopper.retention import keep_relevant
from policies.shopper.state import Purchases, Send, ShopperState
from policies.shopper.summaries import Affinities, add_affinity, count_responses

EVENT_WEIGHTS = {"product_view": 1.0, "wishlist": 3.0, "add_to_cart": 4.0, "cart_abandoned": 1.0, "purchase": 6.0}
"""How much an event says about the affinity to the product it is about (judgement)."""


def fold(state: ShopperState, row: ShopperRow) -> ShopperState:
    """Give the state after one more row about the shopper.

    >>> from policies.shopper.state import NEW_SHOPPER
    >>> at = 1_700_000_000.0
    >>> state = fold(NEW_SHOPPER, EventRow(at, "s-1", "purchase", at, {"value": 20.0, "category": "shoes"}))
    >>> state.purchases.count, state.purchases.value, state.categories
    (1, 20.0, {'shoes': 6.0})
    """
    after = apply(state, row)
    if after is state and isinstance(row, DecisionRow):
        return state  # nothing was sent: nothing about the shopper changed
    after = msgspec.structs.replace(after, seen_at=max(row.at, after.seen_at or row.at))
    return after if after.sends is state.sends else _without_old(after, row.at)


def apply(state: ShopperState, row: ShopperRow) -> ShopperState:
    """Give the state after what a row says, before anything is forgotten for it."""
    match row:
        case DecisionRow():
            return _decided(state, row)
        case ActivationRow(deliver=True):
            return state.activated(row.event_id, row.at)
        case ActivationRow():
            return _refused(state, row)
        case CancellationRow():
            return state.without_sends(row.event_id)
        case OutcomeRow():
            return _answered(state, row)
        case EventRow():
            return _acted(state, row)
        case PreferencesRow():
            return _preferred(state, row)
        case ErasureRow():
            return ShopperState(erased=True)


def send_of(row: DecisionRow) -> Send | None:
    """Give the place that a decision takes, None when nothing is sent."""
    if row.send_at is None or row.message is None or row.channel is None:
        return None
    return Send(
        event_id=row.event_id,
        send_at=row.send_at,
        message=row.message,
        channel=row.channel,
        category=row.category or "",
        critical=row.is_critical,
        cost=row.cost,
        deferred=row.deferred,
        window_ends_at=row.window_ends_at,
    )


def _decided(state: ShopperState, row: DecisionRow) -> ShopperState:
    send = send_of(row)
    return state if send is None else state.with_send(send)


def _refused(state: ShopperState, row: ActivationRow) -> ShopperState:
    send = state.send_of(row.event_id)
    return state.without_sends(row.event_id) if send is not None and refuses(send, row) else state


def _answered(state: ShopperState, row: OutcomeRow) -> ShopperState:
    if row.type in WITHDRAWALS and row.channel is not None:
        return state.withdrawn(row.channel, row.at, by=row.event_id)
    if row.type == "bounce":
        send = state.send_of(row.event_id)
        return state.without_sends(row.event_id) if send is not None and bounces(send, row) else state
    if row.type == "click" and row.channel is not None:
        clicked_at = max(row.occurred_at, state.clicked_at or row.occurred_at)
        return msgspec.structs.replace(state.clicked(row.event_id), clicked_at=clicked_at)
    return state


def _acted(state: ShopperState, row: EventRow) -> ShopperState:
    at, weight = row.occurred_at, EVENT_WEIGHTS.get(row.type, 0.0)
    return msgspec.structs.replace(
        state,
        active_at=max(at, state.active_at or at),
        did={**state.did, row.type: max(at, state.did.get(row.type, at))},
        activity=state.activity.plus(at),
        categories=_liked(state.categories, row.attributes.get("category"), weight),
        products=_liked(state.products, row.attributes.get("product"), weight),
        purchases=_bought(state.purchases, row) if row.type == "purchase" else state.purchases,
    )


def _liked(affinities: Affinities, name: object, weight: float) -> Affinities:
    return add_affinity(affinities, name[:100], weight) if isinstance(name, str) and name and weight else affinities


def _bought(before: Purchases, row: EventRow) -> Purchases:
    value = row.attributes.get("value", 0.0)
    return Purchases(
        count=before.count + 1,
        value=before.value + (float(value) if isinstance(value, int | float) else 0.0),
        last_at=max(row.occurred_at, before.last_at or row.occurred_at),
    )


def _preferred(state: ShopperState, row: PreferencesRow) -> ShopperState:
    for channel, consent in row.consent.items():
        if not consent:
            state = state.withdrawn(channel, row.at)
    told = {
        name: value
        for name in ("time_zone", "locale", "muted_categories", "max_per_week", "quiet_hours")
        if (value := getattr(row, name)) is not UNSET
    }
    return msgspec.structs.replace(
        state,
        erased=False,
        consent={**state.consent, **row.consent},
        reachable={**state.reachable, **row.reachable},
        **told,
    )


def _without_old(state: ShopperState, at: float) -> ShopperState:
    """Let sends that bind no rule any more become counts; places never used are forgotten."""
    sends = keep_relevant(state.sends)
    if len(sends) == len(state.sends):
        return state
    kept = {send.event_id for send in sends}
    used = [send for send in state.sends if send.event_id not in kept and not send.has_expired(at)]
    return msgspec.structs.replace(
        state,
        sends=sends,
        by_channel=count_responses(state.by_channel, ((send.channel, send.clicked) for send in used)),
        by_category=count_responses(state.by_category, ((send.category, send.clicked) for send in used)),
    )
