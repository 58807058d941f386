"""The context of a decision: facts about the shopper, merged with the values of the caller.

The service sets these names. A value of the caller with the same name replaces the service's value.

======================  ==========================================================================
``segment``             behavioural segment, see `segment`
``rfm``                 recency, frequency and value of orders as three digits 1 to 5, ``000`` for none, see `rfm`
``purchases``           number of orders
``average_order``       mean value of an order
``days_since_purchase`` days since the latest order
``days_since_active``   days since the shopper did anything
``recent_sends``        sends of the last seven days, and sends with a send time in the future
``hours_since_contact`` hours since the latest send that was sent
``ignored_streak``      sends that were sent since the latest click
``load``                fatigue: sends that were sent, each fading by `history.LOAD_HALF_LIFE_S`
``load_<channel>``      the same by channel, where it is above zero
``click_rate``          own clicks per send, shrunk towards the prior
``click_rate_<channel>``, ``click_rate_<category>``  the same, where something was sent
``favourite_category``, ``favourite_product``  the strongest affinity
``active_share``        share of the shopper's active hours at this local hour (1/24 is the mean)
``local_hour``          0 ≤ h < 24, in the shopper's zone
``local_weekday``       day of the week in the shopper's zone, 0 is Monday
======================  ==========================================================================
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.catalogue.time_zones import is_time_zone, load_zone
from policies.records.request import Request
from policies.records.rows import Context, Scalar, TriggerRecord
from policies.shopper.history import SendHistory
from policies.shopper.state import ShopperState
from policies.shopper.summaries import HOUR_S, favourite, sum_of

RECENT_S = 7 * 86_400.0
LAPSED_S = 90 * 86_400.0

_NAMES_KEPT = 1_024
_DAY_S = 86_400.0
_RECENCY_DAYS = (14, 30, 60, 120)
_FREQUENCY = (2, 3, 5, 10)
_AVERAGE_VALUE = (20.0, 50.0, 100.0, 200.0)


def find_time_zone(context: Context, state: ShopperState, catalogue: Catalogue) -> str:
    """Return the time zone of a decision: from its context, else the shopper's own, else the catalogue's default.

    Decisions of earlier versions may hold a context with something else under this name.
    """
    zone = context.get("time_zone")
    if isinstance(zone, str) and is_time_zone(zone):
        return zone
    return state.time_zone or catalogue.defaults.time_zone


def find_locale(context: Context, state: ShopperState, catalogue: Catalogue) -> str:
    """Return the locale of the content: from a decision's context, else the shopper's own, else the default."""
    locale = context.get("locale")
    return locale if isinstance(locale, str) else state.locale or catalogue.defaults.locale


def shared_context(
    request: Request, state: ShopperState, rulebook: Rulebook, history: SendHistory | None = None
) -> dict[str, Scalar]:
    """Return the context that all triggers of a request share.

    ``history`` is the history of ``state`` at the time of the request, None where nobody has computed it yet.
    """
    now, orders, sends = request.now, state.purchases, state.sends
    history = SendHistory.of(state, now) if history is None else history
    local = datetime.fromtimestamp(now, load_zone(find_time_zone(request.context, state, rulebook.catalogue)))
    offset = local.utcoffset()
    facts: dict[str, Scalar] = {
        "segment": segment(state, now),
        "rfm": rfm(state, now),
        "purchases": orders.count,
        "recent_sends": len([send for send in sends if send.send_at > now - RECENT_S and not send.deferred]),
        "local_hour": local.hour + local.minute / 60.0,
        "local_weekday": local.weekday(),
        "active_share": state.activity.share(local.hour, offset.total_seconds() / HOUR_S if offset else 0.0),
    }
    if orders.last_at is not None:
        facts["average_order"] = orders.value / orders.count
        facts["days_since_purchase"] = max(0.0, now - orders.last_at) / _DAY_S
    if state.active_at is not None:
        facts["days_since_active"] = max(0.0, now - state.active_at) / _DAY_S
    if (category := favourite(state.categories)) is not None:
        facts["favourite_category"] = category
    if (product := favourite(state.products)) is not None:
        facts["favourite_product"] = product
    return {**facts, **_fatigue(history, now), **_responses(history), **request.context}


@lru_cache(maxsize=_NAMES_KEPT)
def _name(fact: str, of: str) -> str:
    """Return the name of a fact about a channel or a category: always the same object, which is faster to look up."""
    return f"{fact}_{of}"


def _fatigue(history: SendHistory, now: float) -> dict[str, Scalar]:
    """Return how many sends were sent lately, and how many of them the shopper ignored."""
    loads = history.loads
    if not loads:
        return {"ignored_streak": 0, "load": 0.0}
    return {
        "hours_since_contact": (now - history.left[-1].send_at) / HOUR_S,
        "ignored_streak": history.ignored,
        "load": sum(loads.values()),
        **{_name("load", channel): load for channel, load in loads.items()},
    }


def _responses(history: SendHistory) -> dict[str, Scalar]:
    """Return the shopper's click rates, by channel and by category."""
    by_channel, by_category = history.by_channel, history.by_category
    rates = {_name("click_rate", name): responses.rate() for name, responses in {**by_category, **by_channel}.items()}
    return {"click_rate": sum_of(by_channel.values()).rate(), **rates}


def trigger_context(shared: Mapping[str, Scalar], trigger: TriggerRecord) -> Context:
    """Return the shared context with the trigger's type and the category of its product.

    >>> trigger_context({"device": "mobile"}, TriggerRecord("wishlist", 3, 0.0, attributes={"category": "shoes"}))
    {'device': 'mobile', 'trigger': 'wishlist', 'category': 'shoes'}
    """
    context = {**shared, "trigger": trigger.type}
    if trigger.product_category is not None:
        context["category"] = trigger.product_category
    return context


def segment(state: ShopperState, now: float) -> str:
    """Return the shopper's behavioural segment.

    By orders: ``first_buyer`` (one), ``repeat_buyer`` (two to four), ``loyal`` (five or more), ``lapsed`` (the
    latest is over 90 days old). Without orders, by the strongest sign: ``cart_abandoner``,
    ``wish_lister``, ``browser``; ``prospect`` when nothing is known.

    >>> from policies.shopper.state import NEW_SHOPPER
    >>> segment(NEW_SHOPPER, 0.0), segment(ShopperState(did={"page_view": 0.0}), 0.0)
    ('prospect', 'browser')
    """
    orders = state.purchases
    if orders.last_at is not None:
        if now - orders.last_at > LAPSED_S:
            return "lapsed"
        if orders.count == 1:
            return "first_buyer"
        return "repeat_buyer" if orders.count < 5 else "loyal"
    if "cart_abandoned" in state.did or "add_to_cart" in state.did:
        return "cart_abandoner"
    if "wishlist" in state.did:
        return "wish_lister"
    return "browser" if state.did else "prospect"


def rfm(state: ShopperState, now: float) -> str:
    """Return the scores of recency, frequency and mean value of orders, each from 1 (least) to 5; 000 without orders.

    >>> from policies.shopper.state import Purchases
    >>> rfm(ShopperState(purchases=Purchases(count=3, value=180.0, last_at=0.0)), 20 * 86_400.0)
    '433'
    """
    orders = state.purchases
    if orders.last_at is None:
        return "000"
    recency = 5 - bisect_left(_RECENCY_DAYS, (now - orders.last_at) / _DAY_S)
    frequency = 1 + bisect_right(_FREQUENCY, orders.count)
    value = 1 + bisect_right(_AVERAGE_VALUE, orders.value / orders.count)
    return f"{recency}{frequency}{value}"
