"""The context of a decision: what is known of the shopper, merged with what the caller says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from policies.request import Request
from policies.rows import Context, Scalar, TriggerRecord
from policies.rulebook import Rulebook
from policies.shopper import ShopperState

RECENT_S = 7 * 86_400.0
LAPSED_S = 90 * 86_400.0


def shared_context(request: Request, state: ShopperState, rulebook: Rulebook) -> dict[str, Scalar]:
    """Give the context that all triggers of a request share; the caller's values win.

    Names the service sets: ``segment`` (see `segment`), ``purchases`` (count), ``average_order`` (value),
    ``days_since_purchase``, ``recent_sends`` (sends since seven days ago, those ahead included) and
    ``local_hour`` (0 ≤ h < 24, in the shopper's zone).
    """
    now = request.now
    known: dict[str, Scalar] = {
        "segment": segment(state, now),
        "purchases": state.purchases.count,
        "recent_sends": sum(send.send_at > now - RECENT_S for send in state.sends),
        "local_hour": local_hour(now, state.time_zone or rulebook.catalogue.defaults.time_zone),
    }
    if state.purchases.last_at is not None:
        known["average_order"] = state.purchases.value / state.purchases.count
        known["days_since_purchase"] = max(0.0, now - state.purchases.last_at) / 86_400.0
    return {**known, **request.context}


def trigger_context(shared: Mapping[str, Scalar], trigger: TriggerRecord) -> Context:
    """Add what only this trigger tells: its type, and the category of the product it is about.

    >>> trigger_context({"device": "mobile"}, TriggerRecord("wishlist", 3, 0.0, attributes={"category": "shoes"}))
    {'device': 'mobile', 'trigger': 'wishlist', 'category': 'shoes'}
    """
    context = {**shared, "trigger": trigger.type}
    category = trigger.attributes.get("category")
    if isinstance(category, str):
        context["category"] = category
    return context


def segment(state: ShopperState, now: float) -> str:
    """Name the shopper's segment by frequency and recency of orders.

    >>> from policies.shopper import NEW_SHOPPER
    >>> segment(NEW_SHOPPER, 0.0)
    'prospect'
    """
    orders = state.purchases
    if orders.last_at is None:
        return "prospect"
    if now - orders.last_at > LAPSED_S:
        return "lapsed"
    if orders.count == 1:
        return "first_buyer"
    return "repeat_buyer" if orders.count < 5 else "loyal"


def local_hour(at: float, time_zone: str) -> float:
    """Give the hour of the day in a zone, minutes as a fraction.

    >>> local_hour(0.0, "Asia/Kolkata")
    5.5
    """
    local = datetime.fromtimestamp(at, ZoneInfo(time_zone))
    return local.hour + local.minute / 60.0
