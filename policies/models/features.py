"""The features by which the learned model sees a context and a joint action.

Every feature is a *token* in a namespace; `PAIRS` lists the namespaces that are crossed.

=========  ======================================================================================================
shopper    s segment · a category of the product · t trigger · d device · f fatigue · x other values of the caller
action     m message and its category (a new message starts from its category) · c channel · l delay ·
           e effective hour: the local time of day at which the send would arrive
constant   k
=========  ======================================================================================================

In Vowpal Wabbit only the first letter of a namespace counts, so every namespace has one letter.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from policies.catalogue.action_space import JointAction
from policies.records.rows import Context, Scalar

FEATURES_VERSION = 2
"""Counts up when the same context would give other tokens. Models of another version are refused."""

PAIRS = ("sm", "am", "tm", "mc", "sc", "dc", "fc", "se", "ce", "tl", "xm", "xc")
SHARED = "satdfx"
"""Namespaces of the shopper's side. They count only crossed with the action's."""

HOURS_PER_BUCKET = 3
HOUR_BUCKETS = 24 // HOURS_PER_BUCKET
_MOST_RECENT_SENDS = 4
_MAX_TOKEN = 120

NAMED: dict[str, str] = {"segment": "s", "category": "a", "trigger": "t", "device": "d", "recent_sends": "f"}
"""Context names with a namespace of their own."""

NOT_FEATURES = frozenset(
    {
        *("local_hour", "locale", "purchases", "average_order", "days_since_purchase", "days_since_active", "rfm"),
        *("hours_since_contact", "ignored_streak", "load", "active_share", "local_weekday"),
        *("favourite_category", "favourite_product", "click_rate"),
    }
)
"""Context names that are logged, but that the model sees in another form (hour, segment) or not at all."""

NOT_FEATURE_PREFIXES = ("load_", "click_rate_")
"""Beginnings of more such names; a channel or category follows."""


def shared_tokens(context: Context) -> dict[str, tuple[str, ...]]:
    """Return the tokens of the shopper's side by namespace; a missing name gives no token.

    >>> shared_tokens({"segment": "loyal", "recent_sends": 9, "cart_value": 59.9, "local_hour": 7.0})
    {'s': ('s_loyal',), 'f': ('f_4',), 'x': ('x_cart_value_12',)}
    """
    tokens: dict[str, tuple[str, ...]] = {}
    for name, namespace in feature_names(tuple(context)):
        tokens[namespace] = (*tokens.get(namespace, ()), shared_token(name, namespace, context[name]))
    return tokens


@lru_cache(maxsize=1_024)
def feature_names(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the names in a context that the model sees, each with its namespace, in the order of their tokens.

    >>> feature_names(("device", "cart_value", "segment", "local_hour"))
    (('segment', 's'), ('device', 'd'), ('cart_value', 'x'))
    """
    named = [(name, namespace) for name, namespace in NAMED.items() if name in names]
    others = [
        (name, "x")
        for name in sorted(names)
        if name not in NAMED and name not in NOT_FEATURES and not name.startswith(NOT_FEATURE_PREFIXES)
    ]
    return (*named, *others)


def shared_token(name: str, namespace: str, value: Scalar) -> str:
    """Return the token of a value in a context.

    >>> shared_token("recent_sends", "f", 9), shared_token("weather", "x", "rain")
    ('f_4', 'x_weather_rain')
    """
    if namespace == "x":
        return f"x_{clean(name)}_{_level(value)}"
    if name == "recent_sends" and isinstance(value, int | float):
        return f"f_{int(min(max(value, 0), _MOST_RECENT_SENDS))}"
    return f"{namespace}_{_level(value)}"


def _level(value: Scalar) -> str:
    """Return a value as text. Numbers are rounded to two levels per octave, so that their scale never matters."""
    if isinstance(value, bool | str):
        return clean(str(value))
    return str(int(math.copysign(round(2 * math.log2(1 + abs(value))), value)))


_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02x}" for byte in match[0].encode())


def clean(text: str) -> str:
    """Return text with the characters escaped that mean something to Vowpal Wabbit.

    >>> clean("a:b |c")
    'a%3ab%20%7cc'
    """
    return _UNSAFE.sub(_escape, text)[:_MAX_TOKEN]


def known_hour(context: Context) -> float | None:
    """Return the local hour, None when it is not known."""
    hour = context.get("local_hour")
    return None if isinstance(hour, bool | str) else hour


def hour_bucket(hour: float, delay_s: float) -> int:
    """Return the effective hour of a send that is decided at a local hour, in buckets of three hours."""
    bucket = int((hour + delay_s / 3600.0) % 24.0) // HOURS_PER_BUCKET
    return min(bucket, HOUR_BUCKETS - 1)  # for a number just below 0, % returns 24


def message_tokens(message: str, category: str) -> tuple[str, ...]:
    return (f"m_{clean(message)}", f"g_{clean(category)}")


def channel_token(channel: str) -> str:
    return f"c_{clean(channel)}"


def delay_token(delay_s: int) -> str:
    return f"l_{delay_s}"


def action_tokens(action: JointAction, category: str, bucket: int | None) -> dict[str, tuple[str, ...]]:
    """Return the tokens of the action's side by namespace.

    >>> action_tokens(JointAction("hint", "push", 0), "wish", 5)
    {'m': ('m_hint', 'g_wish'), 'c': ('c_push',), 'l': ('l_0',), 'e': ('e_5',), 'k': ('k_1',)}
    """
    tokens: dict[str, tuple[str, ...]] = {
        "m": message_tokens(action.message, category),
        "c": (channel_token(action.channel),),
        "l": (delay_token(action.delay_s),),
    }
    if bucket is not None:
        tokens["e"] = (f"e_{bucket}",)
    return {**tokens, "k": ("k_1",)}


def example_text(context: Context, action: JointAction, category: str) -> str:
    """Return a chosen joint action in its context as a line for Vowpal Wabbit.

    >>> example_text({"segment": "new"}, JointAction("hint", "push", 0), "wish")
    '|s s_new |m m_hint g_wish |c c_push |l l_0 |k k_1'
    """
    hour = known_hour(context)
    bucket = None if hour is None else hour_bucket(hour, action.delay_s)
    tokens = {**shared_tokens(context), **action_tokens(action, category, bucket)}
    return " ".join(f"|{namespace} {' '.join(names)}" for namespace, names in tokens.items())
