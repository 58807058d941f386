"""The fold of a shopper's state: what one more row of the log changes."""

from __future__ import annotations

from math import ceil, inf

import msgspec

from policies.records.endings import event_type, may_end_triggers
from policies.records.outcomes import CLICKS
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    ShopperRow,
)
from policies.records.withholding import date_of_words, withheld_paths
from policies.sends.transitions import changes_of
from policies.shopper.preferences import apply_preferences, erase, withhold
from policies.shopper.retention import keep_relevant
from policies.shopper.state import HORIZON_S, Purchases, Send, ShopperState
from policies.shopper.summaries import Affinities, add_affinity, count_responses, exact_probability, short_name

_DAY_S = 86_400.0

LaterRow = ActivationRow | CancellationRow | OutcomeRow | EventRow | PreferencesRow | ErasureRow
"""A row about a shopper that is no decision."""

FOLD_VERSION = 3
"""The version of this fold: raise it when the same rows fold to another state. A store of states that were folded by
another version is rebuilt from the log."""

_VERSIONS = 1_000
"""Versions are smaller than this."""


def version_for(horizon_s: float) -> int:
    """Return the number that names this fold with a horizon: states with another horizon are other states.

    >>> version_for(HORIZON_S) == FOLD_VERSION, horizon_of(version_for(400 * 86_400.0)) / 86_400
    (True, 400.0)
    """
    days = ceil(horizon_s / _DAY_S)
    return FOLD_VERSION if horizon_s <= HORIZON_S else days * _VERSIONS + FOLD_VERSION


def horizon_of(version: int | None) -> float:
    """Return the horizon of the states that this fold made under a number, 0 where another fold made them."""
    days, fold_version = divmod(version or 0, _VERSIONS)
    if fold_version != FOLD_VERSION:
        return 0.0
    return max(HORIZON_S, days * _DAY_S)


EVENT_WEIGHTS = {"product_view": 1.0, "wishlist": 3.0, "add_to_cart": 4.0, "cart_abandoned": 1.0, "purchase": 6.0}
"""How much each type of event adds to the affinity for the product and for the category that the event names (chosen by
hand)."""


def fold(state: ShopperState, row: ShopperRow, horizon_s: float = HORIZON_S) -> ShopperState:
    """Return the state after one more row about the shopper; sends that no rule needs any more are dropped.

    ``horizon_s`` is how far back the rules may look: see `policies.shopper.retention`.

    >>> from policies.shopper.state import NEW_SHOPPER
    >>> purchase = EventRow(
    ...     at=1_700_000_000.0,
    ...     shopper_id="s-1",
    ...     type="purchase",
    ...     occurred_at=1_700_000_000.0,
    ...     attributes={"value": 20.0, "category": "shoes"},
    ... )
    >>> state = fold(NEW_SHOPPER, purchase)
    >>> state.purchases.count, state.purchases.value, state.categories
    (1, 20.0, {'shoes': 6.0})
    """
    after = apply(state, row)
    return after if after.sends is state.sends else forget_old_sends(after, row.at, horizon_s)


def changes_nothing(row: ShopperRow) -> bool:
    """Return whether a row changes no state: a decision that sends nothing says nothing about the shopper."""
    return isinstance(row, DecisionRow) and send_from_decision(row) is None


def apply(state: ShopperState, row: ShopperRow) -> ShopperState:
    """Return the state after a row; unlike `fold`, keep the sends that no rule needs any more."""
    if isinstance(row, DecisionRow):
        send = send_from_decision(row)
        if send is None:
            return state
        after = state.with_send(send)
    else:
        after = _apply_later_row(state, row)
    return msgspec.structs.replace(after, seen_at=max(row.at, after.seen_at or row.at))


def _apply_later_row(state: ShopperState, row: LaterRow) -> ShopperState:
    """Return the state after a row that makes no send, with the same `seen_at`."""
    match row:
        case EventRow():
            return _apply_event(_change_sends(state, row), row)
        case OutcomeRow():
            return _apply_outcome(_change_sends(state, row), row)
        case PreferencesRow():
            return apply_preferences(_change_sends(state, row), row)
        case ErasureRow():
            return erase(state, row)
        case ActivationRow() | CancellationRow():
            return _change_sends(state, row)


def send_from_decision(row: DecisionRow) -> Send | None:
    """Return the send that a decision makes, None when nothing is sent."""
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
        occurred_at=row.occurred_at,
        ends_on=row.ends_on,
        p_click=exact_probability(row.p_click),
        product_category=short_name(row.product_category or ""),
    )


def _change_sends(state: ShopperState, row: ShopperRow) -> ShopperState:
    """Change each send as the table of transitions says: see `policies.sends.transitions`."""
    for send, change in changes_of(state.sends, row):
        # The only change that keeps the place is an activation.
        keeps = change.status.holds_place
        state = state.with_send(send.activate(row)) if keeps else state.without_send(send.event_id)
    return state


def _apply_outcome(state: ShopperState, row: OutcomeRow) -> ShopperState:
    if may_end_triggers(row) and (kind := event_type(row)) is not None:
        did_by_outcome = _latest(state.did_by_outcome, kind, row.occurred_at)
        state = msgspec.structs.replace(state, did_by_outcome=did_by_outcome)
    if row.channel is None:
        return state
    for path in withheld_paths(row):
        state = withhold(state, path, date_of_words(row))
    if row.type in CLICKS and not row.machine:
        send = state.send_of(row.event_id)
        state = state if send is None else state.with_send(msgspec.structs.replace(send, clicked=True))
        return msgspec.structs.replace(state, clicked_at=max(row.occurred_at, state.clicked_at or row.occurred_at))
    return state


def _apply_event(state: ShopperState, row: EventRow) -> ShopperState:
    if row.type == "refund":  # the shop did it: nothing is learned about when the shopper is active
        did = _latest(state.did, row.type, row.occurred_at)
        return msgspec.structs.replace(state, did=did, purchases=_take_off(state.purchases, row))
    at, weight = row.occurred_at, EVENT_WEIGHTS.get(row.type, 0.0)
    return msgspec.structs.replace(
        state,
        active_at=max(at, state.active_at or at),
        did=_latest(state.did, row.type, at),
        activity=state.activity.plus(at),
        categories=_add_affinity(state.categories, row.attributes.get("category"), weight),
        products=_add_affinity(state.products, row.attributes.get("product"), weight),
        purchases=_add_purchase(state.purchases, row) if row.type == "purchase" else state.purchases,
    )


def _latest(times: dict[str, float], kind: str, at: float) -> dict[str, float]:
    """Return the latest times by type of event after one more event."""
    return {**times, kind: max(at, times.get(kind, at))}


def _add_affinity(affinities: Affinities, name: object, weight: float) -> Affinities:
    if not isinstance(name, str) or not name or not weight:
        return affinities
    return add_affinity(affinities, short_name(name), weight)


def _add_purchase(before: Purchases, row: EventRow) -> Purchases:
    return Purchases(
        count=before.count + 1,
        value=before.value + _value(row),
        last_at=max(row.occurred_at, before.last_at or row.occurred_at),
    )


def _take_off(before: Purchases, row: EventRow) -> Purchases:
    """Return the purchases after a refund: the count of orders stays."""
    return msgspec.structs.replace(before, value=max(0.0, before.value - _value(row)))


def _value(row: EventRow) -> float:
    value = row.attributes.get("value", 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def forget_old_sends(state: ShopperState, at: float, horizon_s: float) -> ShopperState:
    """Drop the sends that no rule needs any more, and count the responses to them; expired sends are not counted.

    Their attribution windows have ended, because no window is as long as sends are kept. The exceptions are a jump of
    the request clock, and a shopper with more sends than a state keeps.
    """
    sends = keep_relevant(state.sends, horizon_s)
    if len(sends) == len(state.sends):
        return state
    kept = {send.event_id for send in sends}
    old = [send for send in state.sends if send.event_id not in kept and not send.has_expired(at)]
    responses = [send.response(inf) for send in old]
    return msgspec.structs.replace(
        state,
        sends=sends,
        by_channel=count_responses(state.by_channel, [send.channel for send in old], responses),
        by_category=count_responses(state.by_category, [send.category for send in old], responses),
    )
