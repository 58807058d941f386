"""Hypothesis strategies: catalogues with every rule, shopper states, time zones, and times around clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from policies.records.quiet_hours import QuietHours, QuietSpan
from policies.shopper.state import Send, ShopperState

QUARTER_S = 900
"""A quarter of an hour. Times and windows are multiples of a quarter, so sends are often exactly one window apart."""

CHANNELS = ("push", "email", "sms")
CATEGORIES = ("cart", "price", "browse")
MESSAGES = {"reminder": "cart", "rescue": "cart", "alert": "price", "hint": "browse"}
TRIGGERS = ("left", "dropped", "urgent")

ZONES = (
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "Pacific/Kiritimati",  # +14
    "Etc/GMT+12",  # -12
    "Asia/Kolkata",  # +5:30
    "Asia/Kathmandu",  # +5:45
    "America/St_Johns",  # -3:30, with DST
    "Australia/Lord_Howe",  # DST of half an hour
    "Africa/Cairo",  # DST at midnight: the first hour of a day is missing
)

_CLOCK_CHANGES = (  # starts and ends of daylight saving time, and the end of a year
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 4, 23, 22, tzinfo=UTC),
    datetime(2026, 10, 29, 21, tzinfo=UTC),
    datetime(2026, 12, 31, 23, tzinfo=UTC),
)

RULES = (
    "no_content",
    "expired",
    "consent",
    "reachable",
    "muted",
    "max_per_week",
    "own_quiet_hours",
    "quiet_hours",
    "suppression",
    "cooldown",
    "min_gap",
    "cap_message",
    "cap_category",
    "cap_channel",
    "cap_global",
    "budget",
)
"""The rules that an example can switch on. If all were always on, the first rules would hide the last ones."""

rule_sets = st.one_of(
    st.frozensets(st.sampled_from(RULES), max_size=3),
    st.frozensets(st.sampled_from(RULES[7:]), min_size=2, max_size=5),
    st.just(frozenset(RULES)),
)

zones = st.sampled_from(ZONES)
moments = st.builds(
    lambda change, quarters: change.timestamp() + quarters * QUARTER_S,
    st.sampled_from(_CLOCK_CHANGES),
    st.integers(-200, 200),
)
windows_s = st.sampled_from((1, 2, 3, 4, 6, 8, 12, 16, 48, 96, 288, 672)).map(lambda quarters: quarters * QUARTER_S)
single_caps = st.one_of(
    st.builds(lambda most, window_s: {"max": most, "window_s": window_s}, st.integers(1, 3), windows_s),
    st.builds(
        lambda most, span: {"max": most, "calendar": span}, st.integers(1, 3), st.sampled_from(("day", "week", "month"))
    ),
)
caps = st.lists(single_caps, min_size=1, max_size=2)
costs = st.integers(0, 4).map(lambda cents: cents / 100)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
single_quiet_spans = st.one_of(
    st.builds(
        lambda start, length: {"from": _time_of_day(start), "to": _time_of_day(start + length)},
        st.integers(0, 95),
        st.integers(1, 95),
    ),
    st.builds(lambda start: {"from": _time_of_day(start), "to": "24:00"}, st.sampled_from((0, 0, 40, 95))),
)
weekday_quiet_spans = st.builds(
    lambda span, days: span | {"days": days},
    single_quiet_spans,
    st.lists(st.sampled_from(_DAYS), min_size=1, max_size=7),
)
quiet_spans = st.one_of(
    single_quiet_spans,
    weekday_quiet_spans,
    st.lists(st.one_of(single_quiet_spans, weekday_quiet_spans), min_size=1, max_size=4),
)
_stored_spans = st.builds(
    lambda start, length, days: QuietSpan(start, (start + length) % 1_440 or 1_440, tuple(sorted(days))),
    st.one_of(st.just(0), st.integers(0, 1_439)),
    st.one_of(st.just(1_440), st.integers(1, 1_439)),
    st.one_of(st.just(set()), st.sets(st.integers(0, 6))),
).filter(lambda span: span.start != span.end)
own_quiet_hours = st.lists(_stored_spans, min_size=1, max_size=3).map(QuietHours.of)
ends_on = st.lists(st.sampled_from(("purchase", "product_view")), unique=True)
delays_s = st.sets(st.sampled_from((0, 900, 3_600, 14_400, 86_400)), min_size=1, max_size=4).map(sorted)
suppressions = st.fixed_dictionaries(
    {"after": st.sampled_from(CATEGORIES), "blocks": st.sampled_from(CATEGORIES), "window_s": windows_s}
)


def _time_of_day(quarter: int) -> str:
    return f"{quarter // 4 % 24:02}:{quarter % 4 * 15:02}"


BODIES = (
    "Hello",
    "{{ product }}",
    "{{ product | d('it') }}",
    "{% if product is defined %}{{ product }}{% endif %}",
    "\u200b{% if express is defined %}Fast{% endif %}",
)


@st.composite
def catalogues(draw: st.DrawFn, on: frozenset[str] = frozenset(RULES)) -> dict[str, Any]:
    """A valid catalogue document, in which only the rules that are on have values."""

    def draw_if_on(rule: str, strategy: st.SearchStrategy[Any], otherwise: Any = None) -> Any:
        return draw(strategy) if rule in on else otherwise

    bodies = st.sampled_from(BODIES if "no_content" in on else BODIES[:1])
    other_locale = draw(st.sampled_from(("es", "ES", "es_mx", "es-MX")))

    def message(name: str, category: str) -> dict[str, Any]:
        channels = draw(st.sets(st.sampled_from(CHANNELS), min_size=1).map(sorted))
        return {
            "category": category,
            "triggers": list(TRIGGERS) if name == "hint" else [TRIGGERS[0], draw(st.sampled_from(TRIGGERS[1:]))],
            "cost": draw_if_on("budget", costs, 0.0),
            "cooldown_s": draw_if_on("cooldown", windows_s),
            "caps": draw_if_on("cap_message", caps, []),
            "templates": {
                channel: {locale: {"body": draw(bodies)} for locale in ("en", other_locale)[: draw(st.integers(1, 2))]}
                for channel in channels
            },
        }

    def channel() -> dict[str, Any]:
        return {
            "attribution_window_s": 14_400,
            "cost": draw_if_on("budget", costs, 0.0),
            "caps": draw_if_on("cap_channel", caps, []),
            "quiet_hours": draw_if_on("quiet_hours", st.one_of(st.none(), quiet_spans)),
            "daily_budget": draw_if_on("budget", costs),
        }

    consent = st.one_of(st.none(), st.dictionaries(st.sampled_from(CHANNELS), st.booleans()))
    return {
        "defaults": {"consent": draw_if_on("consent", consent), "time_zone": draw(zones), "locale": "en"},
        "delays_s": draw(delays_s),
        "channels": {name: channel() for name in CHANNELS},
        "messages": {name: message(name, category) for name, category in MESSAGES.items()},
        "triggers": {
            "left": {
                "priority": 2,
                "expires_s": draw_if_on("expired", windows_s, 172_800),
                "ends_on": draw_if_on("expired", ends_on, []),
            },
            "dropped": {"priority": draw(st.integers(1, 3)), "expires_s": 172_800},
            "urgent": {
                "priority": 3,
                "expires_s": 172_800,
                "critical": True,
                "ends_on": draw_if_on("expired", ends_on, []),
            },
        },
        "caps": draw_if_on("cap_global", caps, []),
        "categories": {name: {"caps": draw_if_on("cap_category", caps, [])} for name in CATEGORIES},
        "min_gap_s": draw_if_on("min_gap", windows_s),
        "suppression": draw_if_on("suppression", st.lists(suppressions, min_size=2, max_size=4), []),
    }


_near = st.integers(-6, 18)
_offsets = st.one_of(_near, _near, st.integers(-110, 110), st.integers(-700, 200))
"""Quarters of an hour from now to a send: mostly so near that a rule can apply."""


@st.composite
def states(draw: st.DrawFn, now: float, on: frozenset[str] = frozenset(RULES)) -> ShopperState:
    """A shopper's state with sends around a time. The fold of a log may be unable to produce this state."""

    def draw_if_on(rule: str, strategy: st.SearchStrategy[Any], otherwise: Any = None) -> Any:
        return draw(strategy) if rule in on else otherwise

    def send(number: int) -> Send:
        message = draw(st.sampled_from(tuple(MESSAGES)))
        return Send(
            event_id="own" if number == 3 else f"other-{number}",  # "own": an earlier send of the same decision
            send_at=now + draw(_offsets) * QUARTER_S,
            message=message,
            channel=draw(st.sampled_from(CHANNELS)),
            category=MESSAGES[message],
            critical=draw(st.sampled_from((False, False, False, True))),
            deferred=draw(st.booleans()),
        )

    flags = st.dictionaries(st.sampled_from(CHANNELS), st.booleans())
    sends = [send(number) for number in range(draw(st.sampled_from((3, 2, 1, 4, 5, 6, 0))))]
    return ShopperState(
        consent=draw_if_on("consent", flags, {}),
        reachable=draw_if_on("reachable", flags, {}),
        muted_categories=draw_if_on("muted", st.sampled_from(CATEGORIES).map(lambda name: (name,)), ()),
        max_per_week=draw_if_on("max_per_week", st.integers(0, 4)),
        quiet_hours=draw_if_on("own_quiet_hours", own_quiet_hours),
        time_zone=draw(st.one_of(st.none(), zones)),
        locale=draw(st.sampled_from((None, "en", "es", "es-MX", "ES_mx", "de"))),
        erased="consent" in on and draw(st.integers(0, 19)) == 0,
        sends=tuple(sorted(sends, key=lambda send: (send.send_at, send.event_id))),
    )
