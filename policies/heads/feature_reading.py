"""What the heads see of one trigger of a request, read from its context and from the numbers about the shopper."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from policies.heads.features import Features, SlotValue
from policies.records.rows import Context
from policies.records.shopper_numbers import ShopperNumbers

_HOURS_PER_BUCKET = 3
_SATURDAY = 5
_LOAD_LEVELS = (0.25, 0.75, 1.25, 2.0)
_LONGEST_STREAK = 4


def read_features(
    context: Context,
    numbers: ShopperNumbers,
    delays_s: Sequence[int],
    *,
    caller: tuple[str, ...] = (),
) -> Features:
    """Return the features of one trigger of a request.

    Parameters
    ----------
    context
        The trigger's context (`policies.shopper.context.trigger_context`). Read are ``trigger``, ``segment``,
        ``category`` (the product's), ``ignored_streak``, ``local_hour`` and ``local_weekday`` (0 is Monday).
    numbers
        As the row holds them.
    delays_s
        The delays of the catalogue's version.
    caller
        The tokens of the other values of the context.

    Examples
    --------
    >>> context = {"trigger": "wishlist", "local_hour": 22.5, "local_weekday": 4, "ignored_streak": 9}
    >>> features = read_features(context, ShopperNumbers(load=(0.5, 0.4)), (0, 7_200))
    >>> features.tokens["trigger"], features.tokens["streak"], features.moments["hour"][7_200]
    (('wishlist',), ('4',), 'weekend_0')
    """
    product = str(context.get("category", ""))
    slot_numbers = {
        "presence": _pair(delays_s, numbers.presence),
        "load": _pair(delays_s, numbers.load),
        "load_squared": _pair(delays_s, [load * load / 4.0 for load in numbers.load]),
        "topic_load": _pair(delays_s, numbers.topic_load.get(product, ())),
        "own_channel": _pair(numbers.own_channel, numbers.own_channel.values()),
        "own_category": _pair(numbers.own_category, numbers.own_category.values()),
    }
    levels = [str(bisect_right(_LOAD_LEVELS, load)) for load in numbers.load]
    return Features(
        tokens={**_tokens(context), "caller": caller},
        moments={"hour": _hours(context, delays_s), "load_level": dict(zip(delays_s, levels, strict=False))},
        numbers={
            "own": numbers.own_rate,
            "affinity": numbers.affinity.get(product, 0.0),
        },
        slot_numbers=slot_numbers,
    )


def _tokens(context: Context) -> dict[str, tuple[str, ...]]:
    names = {"trigger": "trigger", "segment": "segment", "category": "product_category"}
    tokens = {token: str(context[name]) for name, token in names.items() if name in context}
    if (streak := _number(context, "ignored_streak")) is not None:
        tokens["streak"] = str(int(min(max(streak, 0), _LONGEST_STREAK)))
    return {name: (token,) for name, token in tokens.items()}


def _hours(context: Context, delays_s: Sequence[int]) -> dict[int, str]:
    """Return the part of the day and of the week at which each send would arrive, in buckets of three hours."""
    hour, weekday = _number(context, "local_hour"), _number(context, "local_weekday")
    if hour is None or weekday is None:
        return {}
    tokens = dict[int, str]()
    for delay in delays_s:
        arrival = hour + delay / 3_600.0
        day = (int(weekday) + int(arrival // 24.0)) % 7
        part = "weekend" if day >= _SATURDAY else "week"
        tokens[delay] = f"{part}_{int(arrival % 24.0) // _HOURS_PER_BUCKET}"
    return tokens


def _pair(keys: Iterable[SlotValue], values: Iterable[float]) -> dict[SlotValue, float]:
    return dict(zip(keys, values, strict=False))


def _number(context: Context, name: str) -> float | None:
    value = context.get(name)
    return None if value is None or isinstance(value, bool | str) else value
