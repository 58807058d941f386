"""Random logs for the report: a few shoppers, channels and decisions that much happens to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET

from decision_service.state.shopper_keys import ShopperKey
from policies.records.outcomes import OutcomeType
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PolicyRecord,
    PreferencesRow,
    Row,
    Scalar,
    TriggerRecord,
)
from tests.factories import small_document

NAMED = ("s-1", "s-2")
"""Shoppers that still go by their ids: only they can be erased, no request takes a pseudonym for an id."""
SHOPPERS = (*NAMED, "erased:3")
CHANNELS = ("push", "email")
EVENTS = tuple(f"e-{number}" for number in range(6))
HOURS = 3_600.0
REASONS = ("policy", "lost_race", "no_eligible_action", "holdout", "degraded")
OUTCOMES: tuple[OutcomeType, ...] = (
    *("delivered", "open", "click", "conversion", "refund", "opt_out", "complaint", "bounce"),
)
DEFAULTS = {"push": True, "email": False}

times = st.integers(20, 28).map(lambda hour: hour * HOURS)
"""Few enough that two often coincide: what matters at a boundary is what happens on it. Midnight lies among them."""
names = st.sampled_from(EVENTS)
shoppers = st.sampled_from(SHOPPERS)
channels = st.sampled_from(CHANNELS)


def key_of(shopper_id: str) -> ShopperKey:
    return ShopperKey(f"key of {shopper_id}")


def catalogue() -> CatalogueRow:
    return CatalogueRow(0.0, 1, small_document(defaults={"consent": DEFAULTS}))


def decision(event_id: str, **changes: Any) -> DecisionRow:
    """A send of a hint by push at hour 2, unless changes say otherwise."""
    values: dict[str, Any] = {
        "at": 2 * HOURS,
        "event_id": event_id,
        "shopper_id": "s-1",
        "fingerprint": "",
        "triggers": (
            TriggerRecord("wishlist", 5, 1e9),
            TriggerRecord("cart_abandoned", 2, 1e9, ends_on=("purchase",)),
        ),
        "context": {"segment": "browser"},
        "catalogue_version": 1,
        "rules_version": 1,
        "policy": PolicyRecord("default", 0, "online"),
        "arm": "treatment",
        "answer": "{}",
        "message": "hint",
        "channel": "push",
        "category": "browse",
        "delay_s": 0,
        "drawn": 0,
        "drawn_trigger": 0,
        "send_at": 2 * HOURS,
        "window_ends_at": 6 * HOURS,
    }
    return DecisionRow(**values | changes)


def hold(event_id: str, reason: str, **changes: Any) -> DecisionRow:
    """A hold; only one that lost the race for its place has a drawn send."""
    nothing: dict[str, Any] = dict.fromkeys(("message", "channel", "category", "delay_s", "drawn_trigger"))
    drawn = {} if reason == "lost_race" else nothing
    return decision(event_id, hold_reason=reason, send_at=None, window_ends_at=None, **drawn, **changes)


@st.composite
def decisions(draw: st.DrawFn, event_id: str) -> DecisionRow:
    at = draw(times)
    common: dict[str, Any] = {
        "at": at,
        "shopper_id": draw(shoppers),
        "context": draw(st.sampled_from([{}, {"segment": "browser"}, {"segment": 3}])),
        "arm": draw(st.sampled_from(["treatment", "holdout"])),
    }
    if draw(st.integers(0, 2)) == 0:
        return hold(event_id, draw(st.sampled_from(REASONS)), **common)
    send_at = at + draw(st.sampled_from([0.0, HOURS, 3 * HOURS]))
    message, category = draw(st.sampled_from([("hint", "browse"), ("reminder", "cart")]))
    return decision(
        event_id,
        message=message,
        category=category,
        channel=draw(channels),
        drawn_trigger=draw(st.integers(0, 1)),
        send_at=send_at,
        window_ends_at=send_at + 4 * HOURS,
        deferred=draw(st.booleans()),
        p_click=draw(st.sampled_from((None, 0.1, 0.3))),
        **common,
    )


@st.composite
def happenings(draw: st.DrawFn, known: Sequence[DecisionRow]) -> Row:
    """Something that may happen after some decisions were made."""
    at, event_id, shopper_id = draw(times), draw(names), draw(shoppers)
    of = next((row for row in known if row.event_id == event_id), None)
    shopper, channel = (None, None) if of is None else (of.shopper_id, of.channel if of.send_at is not None else None)
    kind = draw(st.sampled_from(["outcome"] * 4 + ["event", "preferences", "preferences", "erasure", "gate", "cancel"]))
    if kind in ("gate", "cancel") and of is None:
        kind = "event"
    match kind:
        case "outcome":
            kind_of_outcome: OutcomeType = draw(st.sampled_from(OUTCOMES))
            value = draw(st.integers(0, 500)) / 10 if kind_of_outcome in ("conversion", "refund") else 0.0
            occurred_at = at + draw(st.sampled_from([0.0, 0.0, 2 * HOURS]))
            return OutcomeRow(
                at=at,
                event_id=event_id,
                type=kind_of_outcome,
                occurred_at=occurred_at,
                value=value,
                shopper_id=shopper,
                channel=channel,
                machine=kind_of_outcome in ("open", "click") and draw(st.booleans()),
                permanent=kind_of_outcome == "bounce" and draw(st.booleans()),
            )
        case "gate":
            deliver = draw(st.booleans())
            reason = None if deliver else draw(st.sampled_from(["cap_channel", "expired"]))
            left_at = at if deliver and draw(st.booleans()) else None  # an earlier version wrote no time
            return ActivationRow(
                at=at, event_id=event_id, shopper_id=shopper or "", deliver=deliver, reason=reason, left_at=left_at
            )
        case "cancel":
            return CancellationRow(at, event_id, shopper or "")
        case "preferences":
            consent = draw(st.dictionaries(channels, st.sampled_from((True, False, None)), max_size=2))
            subscribed = draw(st.sampled_from((UNSET, UNSET, True, False, None)))
            return PreferencesRow(at, shopper_id, consent, subscribed=subscribed)
        case "erasure":
            erased = draw(st.sampled_from(NAMED))
            return ErasureRow(
                at=at, shopper_id="erased:3", key=key_of(erased), open_event_ids=tuple(draw(st.sets(names, max_size=3)))
            )
    bought = draw(st.sampled_from(["purchase", "purchase", "refund", "session"]))
    attributes: dict[str, Scalar] = draw(st.sampled_from([{}, {"value": 12.5}, {"value": 40}]))
    return EventRow(at=at, shopper_id=shopper_id, type=bought, occurred_at=draw(times), attributes=attributes)


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """A log in position order, positions from 1 on: a catalogue, then up to six decisions and what happens around."""
    rows: list[Row] = [catalogue()]
    coming = list(draw(st.permutations(EVENTS)))
    for _ in range(draw(st.integers(0, 25))):
        known = [row for row in rows if isinstance(row, DecisionRow)]
        if coming and draw(st.integers(0, 2)) == 0:
            rows.append(draw(decisions(coming.pop())))
        else:
            rows.append(draw(happenings(known)))
    return rows
