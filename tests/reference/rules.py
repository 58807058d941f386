"""The rules as API.md words them: one function for each, which returns whether one send would break the rule.

Nothing here is fast or clever. The catalogue is its plain document.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from math import inf
from zoneinfo import ZoneInfo

from policies.records.rows import TriggerRecord
from tests.reference.names import Document, name_today, names_of
from tests.reference.preferences import Preferences, QuietSpan
from tests.reference.shopper import Reservation

WEEK_S = 604_800
PARTS = {"message": "messages", "channel": "channels", "category": "categories"}
"""Slot of a reservation → the part of the document that names its values."""


@dataclass(frozen=True)
class Case:
    """One send with all facts that the rules need.

    ``reservations`` are the shopper's other sends that count, and ``spent`` is the money that the channel has spent
    on the send's UTC day. ``events`` are the types and dates of what the shopper did, and ``occurred_at`` is when the
    trigger occurred.
    """

    document: Document
    preferences: Preferences
    reservations: Sequence[Reservation]
    trigger: TriggerRecord
    message: str
    channel: str
    delay_s: int
    send_at: float
    locale: object = None
    time_zone: object = None
    spent: Decimal = Decimal(0)
    held_out: bool = False
    exclude: Sequence[Mapping[str, object]] = field(default_factory=tuple)
    events: Sequence[tuple[str, float]] = ()
    occurred_at: float = inf

    @property
    def category(self) -> str:
        return str(self.document["messages"][self.message]["category"])

    def local(self, at: float) -> datetime:
        """Return a time by the shopper's clock."""
        default = (self.document.get("defaults") or {}).get("time_zone") or "UTC"
        zone = self.time_zone if isinstance(self.time_zone, str) else self.preferences.time_zone or default
        return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))

    def times(self, **slots: str) -> list[float]:
        """Return the send times of the reservations with these slots, under the names that the slots have today."""
        return [
            one.send_at
            for one in self.reservations
            if all(name_today(self.document, PARTS[slot], getattr(one, slot)) == slots[slot] for slot in slots)
        ]

    def names(self, part: str, name: str) -> tuple[str, ...]:
        """Return all names of a channel, category or message, today's first."""
        return names_of(self.document, part, name)


def is_excluded_by_caller(case: Case) -> bool:
    """Return whether one of the caller's patterns matches in all its fields."""
    slots = {"message": case.message, "channel": case.channel, "delay_s": case.delay_s}
    return any(
        all(wanted is None or wanted == slots[name] for name, wanted in pattern.items()) for pattern in case.exclude
    )


def lacks_content(case: Case) -> bool:
    """Return whether there is no template for the locale, an attribute is missing, or a text would be blank."""
    locales = case.document["messages"][case.message]["templates"][case.channel]
    default = (case.document.get("defaults") or {}).get("locale") or "en"
    locale = case.locale if isinstance(case.locale, str) else case.preferences.locale or default
    parts = find_parts(locales, locale) or find_parts(locales, default)
    if parts is None:
        return True
    read = {name for name, value in case.trigger.attributes.items() if not isinstance(value, bool) and is_seen(value)}
    if not set().union(*map(find_attributes, parts.values())) <= read:
        return True
    true = {name for name, value in case.trigger.attributes.items() if value is True}
    never_printed = {name for name in true if not any(prints(text, name) for text in parts.values())}
    shown = [text for name, text in parts.items() if name in ("title", "subject", "body")]
    return not all(is_seen(fill(text, read | never_printed)) for text in shown)


def find_parts(locales: Mapping[str, Mapping[str, str]], wanted: str) -> Mapping[str, str] | None:
    """Return the template of the longest locale that the wanted one begins with, subtag by subtag."""
    subtags = re.split("[-_]", wanted.lower())
    by_subtags = {tuple(re.split("[-_]", name.lower())): parts for name, parts in locales.items()}
    beginnings = [tuple(subtags[:length]) for length in range(len(subtags), 0, -1)]
    return next((by_subtags[beginning] for beginning in beginnings if beginning in by_subtags), None)


def is_seen(value: object) -> bool:
    """Return whether a text has a letter, a digit or a sign."""
    return any(unicodedata.category(letter)[0] in "LNPS" for letter in str(value))


def prints(text: str, name: str) -> bool:
    """Return whether a text prints an attribute somewhere."""
    return re.search(r"{{ *" + name + r"\b", text) is not None


def fill(text: str, defined: set[str]) -> str:
    """Return a text without the branches that are not taken, and with a letter in place of each attribute."""
    branches = re.compile(r"{% *if (\w+) is defined *%}(.*?)(?:{% *else *%}(.*?))?{% *endif *%}", re.S)
    taken = branches.sub(lambda branch: branch[2] if branch[1] in defined else branch[3] or "", text)
    return re.sub("{{.*?}}", "x", taken)


def find_attributes(text: str) -> set[str]:
    """Return the names of the attributes that a text needs.

    >>> sorted(find_attributes("{{ a }} {{ b | d(0) }} {{ c | money }}{% if e is defined %}{{ e }}{{ f }}{% endif %}"))
    ['a', 'c', 'f']
    """
    inner = re.compile(r"{% *if (\w+) is defined *%}(.*?)(?:{% *else *%}(.*?))?{% *endif *%}", re.S)
    names: set[str] = set()
    for name, then, other in inner.findall(text):
        names |= (find_attributes(then) - {name}) | find_attributes(other)
    for name, filters in re.findall(r"{{ *(\w+) *((?:\|[^}]*)?)}}", inner.sub("", text)):
        if not re.match(r"\| *(d|default) *\(", filters):
            names.add(name)
    return names


def has_expired(case: Case) -> bool:
    """Return whether the send would come after the trigger's expiry, or after an event that ends the trigger."""
    return case.send_at > case.trigger.expires_at or any(
        kind in case.trigger.ends_on and at > case.occurred_at for kind, at in case.events
    )


def lacks_consent(case: Case) -> bool:
    """Return whether the shopper has not consented to the channel under any of its names."""
    preferences = case.preferences
    words = [preferences.consent.get(name) for name in case.names("channels", case.channel)]
    if not preferences.subscribed or False in words:
        return True
    if preferences.erased_at is not None:
        today, *former = words
        return not (today or (former and all(former)))
    if True in words:
        return False
    defaults = (case.document.get("defaults") or {}).get("consent")
    return defaults is not None and not defaults.get(case.channel, False)


def is_unreachable(case: Case) -> bool:
    """Return whether the shopper cannot be reached on the channel."""
    return any(case.preferences.reachable.get(name) is False for name in case.names("channels", case.channel))


def is_unwanted(case: Case) -> bool:
    """Return whether the shopper's preferences forbid the send: muted category, weekly maximum, quiet hours."""
    preferences = case.preferences
    if any(name in preferences.muted for name in case.names("categories", case.category)):
        return True
    if is_within_any(case.local(case.send_at), preferences.quiet):
        return True
    return preferences.max_per_week is not None and exceeds_rolling_cap(
        case.times(), case.send_at, preferences.max_per_week, WEEK_S
    )


def is_held_out(case: Case) -> bool:
    """Return whether the shopper is held out."""
    return case.held_out


def is_in_quiet_hours(case: Case) -> bool:
    """Return whether the send would arrive in the channel's quiet hours, by the shopper's clock."""
    written = case.document["channels"][case.channel].get("quiet_hours") or []
    spans = [written] if isinstance(written, Mapping) else written
    return is_within_any(case.local(case.send_at), [QuietSpan.parse(span) for span in spans])


def is_suppressed(case: Case) -> bool:
    """Return whether an earlier send suppresses this one, or this one would suppress a later send."""
    return any(
        (
            case.category == rule["blocks"]
            and is_after_any(case.send_at, case.times(category=rule["after"]), rule["window_s"])
        )
        or (
            case.category == rule["after"]
            and is_before_any(case.send_at, case.times(category=rule["blocks"]), rule["window_s"])
        )
        for rule in case.document.get("suppression") or ()
    )


def is_after_any(at: float, others: list[float], window_s: float) -> bool:
    """Return whether a time lies in [other, other + window_s) of another."""
    return any(other <= at and at - other < window_s for other in others)


def is_before_any(at: float, others: list[float], window_s: float) -> bool:
    """Return whether another time lies in [at, at + window_s)."""
    return any(at <= other and other - at < window_s for other in others)


def is_in_cooldown(case: Case) -> bool:
    """Return whether the same message is sent less than its cooldown before or after."""
    apart = case.document["messages"][case.message].get("cooldown_s")
    return apart is not None and any(abs(at - case.send_at) < apart for at in case.times(message=case.message))


def is_too_close(case: Case) -> bool:
    """Return whether any send is less than the minimum gap before or after."""
    apart = case.document.get("min_gap_s")
    return apart is not None and any(abs(at - case.send_at) < apart for at in case.times())


def exceeds_message_cap(case: Case) -> bool:
    """Return whether a cap of the message is full."""
    return exceeds_any_cap(case, case.document["messages"][case.message], case.times(message=case.message))


def exceeds_category_cap(case: Case) -> bool:
    """Return whether a cap of the category is full."""
    category = (case.document.get("categories") or {}).get(case.category, {})
    return exceeds_any_cap(case, category, case.times(category=case.category))


def exceeds_channel_cap(case: Case) -> bool:
    """Return whether a cap of the channel is full."""
    return exceeds_any_cap(case, case.document["channels"][case.channel], case.times(channel=case.channel))


def exceeds_global_cap(case: Case) -> bool:
    """Return whether a cap over all sends is full."""
    return exceeds_any_cap(case, case.document, case.times())


def exceeds_budget(case: Case) -> bool:
    """Return whether the send costs more than the rest of the channel's budget of that UTC day."""
    most = case.document["channels"][case.channel].get("daily_budget")
    return most is not None and case.spent + send_cost(case.document, case.message, case.channel) > money(most)


def exceeds_any_cap(case: Case, holder: Document, times: list[float]) -> bool:
    """Return whether one more send would exceed a cap of a message, category, channel or catalogue."""
    return any(exceeds_cap(case, cap, times) for cap in holder.get("caps") or ())


def exceeds_cap(case: Case, cap: Document, times: list[float]) -> bool:
    """Return whether one more send would exceed a cap: rolling, or of the local day, week or month."""
    if cap.get("window_s") is not None:
        return exceeds_rolling_cap(times, case.send_at, cap["max"], cap["window_s"])
    period_of = {"day": calendar_day, "week": calendar_week, "month": calendar_month}[cap["calendar"]]
    period = period_of(case.local(case.send_at))
    most: int = cap["max"]
    return 1 + sum(period_of(case.local(at)) == period for at in times) > most


def exceeds_rolling_cap(times: Iterable[float], at: float, most: int, window_s: float) -> bool:
    """Return whether some window [b, b + window_s) that contains ``at`` holds too many sends, this one included.

    A window can always be moved to begin at a send without losing one.
    """
    sends = [*times, at]
    begins = [begin for begin in sends if begin <= at and at - begin < window_s]
    return any(sum(begin <= send and send - begin < window_s for send in sends) > most for begin in begins)


def is_within_any(local: datetime, spans: Iterable[QuietSpan]) -> bool:
    """Return whether a clock shows a time of one of the spans."""
    return any(begin <= local.replace(tzinfo=None) < end for span in spans for begin, end in span.around(local.date()))


def calendar_day(local: datetime) -> date:
    return local.date()


def calendar_week(local: datetime) -> tuple[int, int]:
    """Return year and number of the calendar week, which begins on Monday."""
    year, number, _ = local.isocalendar()
    return year, number


def calendar_month(local: datetime) -> tuple[int, int]:
    return local.year, local.month


def money(amount: float) -> Decimal:
    """Return an amount as an exact number of millionths."""
    return Decimal(repr(amount)).quantize(Decimal("0.000001"))


def send_cost(document: Document, message: str, channel: str) -> Decimal:
    """Return the cost of a send: the cost of its channel and of its message."""
    return money(document["channels"][channel].get("cost", 0.0)) + money(document["messages"][message].get("cost", 0.0))


RULES: dict[str, Callable[[Case], bool]] = {
    "excluded_by_caller": is_excluded_by_caller,
    "no_content": lacks_content,
    "expired": has_expired,
    "no_consent": lacks_consent,
    "unreachable": is_unreachable,
    "preference": is_unwanted,
    "holdout": is_held_out,
    "quiet_hours": is_in_quiet_hours,
    "suppression_window": is_suppressed,
    "cooldown": is_in_cooldown,
    "min_gap": is_too_close,
    "cap_message": exceeds_message_cap,
    "cap_category": exceeds_category_cap,
    "cap_channel": exceeds_channel_cap,
    "cap_global": exceeds_global_cap,
    "budget": exceeds_budget,
}
"""Code → rule, in the order of the codes in API.md."""

OF_CRITICAL = frozenset({"excluded_by_caller", "no_content", "expired", "no_consent", "unreachable"})
"""The only rules that bind critical triggers."""

ASKED_AGAIN = frozenset(RULES) - {"excluded_by_caller", "no_content", "holdout", "budget"}
"""Rules that an activation checks again: consent, preferences, caps, quiet hours."""


def find_broken_rules(case: Case) -> list[str]:
    """Return the codes of the rules that the send would break, in the order of API.md."""
    return [
        code for code, breaks in RULES.items() if (not case.trigger.critical or code in OF_CRITICAL) and breaks(case)
    ]
