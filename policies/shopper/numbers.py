"""The numbers about a shopper, from the shopper's state: what models see beside the context.

A possible send leaves after one of the catalogue's delays, so some numbers are lists with one number per delay.

================  ====================================================================================================
``presence``      log of the shopper's share of activity in the hour of the send, smoothed over five hours, times the
                  share on days like that of the send (weekend or not), against an even day and an even week
``load``          fatigue at the time of the send: sends that were sent by then, scheduled ones included
``own_rate``      log((clicks + 1) ÷ (expected clicks + 1)), also by channel and by category of the message
``topic_load``    by category of the product: the sends about the category, fading by `TOPIC_HALF_LIFE_S`
``affinity``      by category of the product: the share of the shopper's interest
================  ====================================================================================================

Expected clicks are the sum of the click probabilities that were predicted for the sends. A send counts, and its click
counts, from the end of its attribution window on, by the clock of the request. So a send that is still open moves no
number, and neither does a send for which nothing was predicted. The ratio does not depend on what was sent when, as a
click rate does, and it is shrunk: the mean of a rate factor with a gamma prior of mean 1 and weight 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import log

from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.shopper_numbers import ShopperNumbers
from policies.shopper.history import LOAD_HALF_LIFE_S, SendHistory
from policies.shopper.state import HORIZON_S, Send, ShopperState
from policies.shopper.summaries import HOUR_S, HOURS, Activity, Affinities, Responses, is_on_weekend, short_name, sum_of

TOPIC_HALF_LIFE_S = 4 * 86_400.0
"""How fast sends about one category of products fade (chosen by hand)."""

_SMOOTHING = (0.1, 0.2, 0.4)
"""Weights of the hours around the hour of the send: two hours away, one hour away, the hour itself."""

_EVEN_HOURS = 10.0
"""Weight of an even day, in active hours (chosen by hand)."""

_WEEKEND = 2 / 7
_EVEN_DAYS = 6.0
"""Weight of an even week, in active hours (chosen by hand)."""


def shopper_numbers(
    request: Request, state: ShopperState, rulebook: Rulebook, history: SendHistory | None = None
) -> ShopperNumbers:
    """Return the numbers about the shopper of a request, rounded off.

    ``history`` is the history of ``state`` at the time of the request, None where nobody has computed it yet.
    """
    now, delays_s = request.now, rulebook.space.delays_s
    history = SendHistory.of(state, now) if history is None else history
    ahead = _sends_ahead(state, request, history)
    categories = sorted({category for one in request.triggers if (category := one.product_category) is not None})
    return ShopperNumbers(
        presence=_presence(state.activity, now, delays_s),
        load=_loads(sum(history.loads.values()), [send.send_at for send in ahead], now, delays_s, LOAD_HALF_LIFE_S),
        own_rate=sum_of(history.by_channel.values()).surplus(),
        own_channel=_surpluses(history.by_channel),
        own_category=_surpluses(history.by_category),
        topic_load=_topic_loads(categories, [*history.left, *ahead], now, delays_s) if categories else {},
        affinity=_affinity(categories, state.categories) if categories else {},
    ).round_off()


def _sends_ahead(state: ShopperState, request: Request, history: SendHistory) -> Sequence[Send]:
    """Return the sends that were not sent yet and take a place under the rules, without the request's own."""
    if len(history.left) == len(state.sends):
        return ()
    now = request.now
    return [
        send
        for send in state.sends
        if (send.deferred or send.send_at > now) and send.event_id != request.event_id and not send.has_expired(now)
    ]


def _presence(activity: Activity, now: float, delays_s: Sequence[int]) -> tuple[float, ...]:
    """Return the presence at each possible time, nothing where no activity is known: then it is 0 at all of them.

    Hours and days are UTC on both sides of the comparison, so the shopper's zone does not matter.
    """
    if activity.latest is None:
        return ()
    by_hour, active = activity.by_hour, sum(activity.by_hour)
    around = (*by_hour[-2:], *by_hour, *by_hour[:2])
    weekend = (activity.on_weekends + _EVEN_DAYS * _WEEKEND) / (active + _EVEN_DAYS)
    of_week, of_weekend = (1.0 - weekend) / (1.0 - _WEEKEND), weekend / _WEEKEND
    two_away, one_away, itself = _SMOOTHING
    presence = []
    for delay_s in delays_s:
        hour = int((now + delay_s) // HOUR_S)
        before2, before, at, after, after2 = around[hour % HOURS : hour % HOURS + 5]
        smooth = two_away * (before2 + after2) + one_away * (before + after) + itself * at
        share = (smooth + _EVEN_HOURS / HOURS) / (active + _EVEN_HOURS) * HOURS
        presence.append(log(share * (of_weekend if is_on_weekend(hour) else of_week)))
    return tuple(presence)


def _loads(
    felt: float, ahead: Iterable[float], now: float, delays_s: tuple[int, ...], half_life_s: float
) -> tuple[float, ...]:
    """Return for each delay how many sends are still felt at that time.

    ``felt`` is how many are felt now, ``ahead`` has the times of further sends.
    """
    loads = [felt * fade for fade in _fades(delays_s, half_life_s)]
    for sent_at in ahead:
        for place, delay_s in enumerate(delays_s):
            if (age := now + delay_s - sent_at) >= 0.0:
                loads[place] += 0.5 ** (age / half_life_s)
    return tuple(loads)


def _surpluses(responses: Mapping[str, Responses]) -> dict[str, float]:
    return {name: one.surplus() for name, one in responses.items() if one.expected_clicks or one.compared_clicks}


@lru_cache(maxsize=256)
def _fades(delays_s: tuple[int, ...], half_life_s: float) -> tuple[float, ...]:
    """Return what is left of a load after each delay."""
    return tuple(0.5 ** (delay_s / half_life_s) for delay_s in delays_s)


def _topic_loads(
    categories: Iterable[str], sends: Sequence[Send], now: float, delays_s: tuple[int, ...]
) -> dict[str, tuple[float, ...]]:
    loads, begin = dict[str, tuple[float, ...]](), now - HORIZON_S
    for category in categories:
        name = short_name(category)
        times = [at for send in sends if send.product_category == name and (at := send.send_at) >= begin]
        if times:
            felt = sum([0.5 ** ((now - at) / TOPIC_HALF_LIFE_S) for at in times if at <= now])
            ahead = [at for at in times if at > now]
            loads[category] = _loads(felt, ahead, now, delays_s, TOPIC_HALF_LIFE_S)
    return loads


def _affinity(categories: Iterable[str], interest: Affinities) -> dict[str, float]:
    total = sum(interest.values())
    if not total:
        return {}
    return {category: interest.get(short_name(category), 0.0) / total for category in categories}
