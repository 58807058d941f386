"""The rules one by one, in the words of API.md: each asks whether one send would break it.

Nothing here is fast or clever. A rule is a question about one send; the catalogue is its plain document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from policies.records.rows import TriggerRecord
from tests.reference.shopper import Place, Wishes

Document = Mapping[str, Any]
WEEK_S = 604_800


@dataclass(frozen=True)
class Case:
    """One send that is judged: its slots, its shopper, and the other sends before and after it.

    ``taken`` are the places that count, ``spent`` what the channel's sends of that UTC day cost already.
    """

    document: Document
    wishes: Wishes
    taken: Sequence[Place]
    trigger: TriggerRecord
    message: str
    channel: str
    delay_s: int
    send_at: float
    locale: object = None
    spent: Decimal = Decimal(0)
    held_out: bool = False
    exclude: Sequence[Mapping[str, object]] = field(default_factory=tuple)

    @property
    def category(self) -> str:
        """The category of the message."""
        return str(self.document["messages"][self.message]["category"])

    def local(self, at: float) -> datetime:
        """Return the time on the shopper's own clock."""
        zone = self.wishes.time_zone or (self.document.get("defaults") or {}).get("time_zone") or "UTC"
        return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))

    def times(self, **slots: str) -> list[float]:
        """Return the send times of the places with these slots."""
        return [place.send_at for place in self.taken if all(getattr(place, name) == slots[name] for name in slots)]


def excluded_by_caller(case: Case) -> bool:
    """Ask whether a pattern of the caller's matches in every field that it has."""
    slots = {"message": case.message, "channel": case.channel, "delay_s": case.delay_s}
    return any(
        all(wanted is None or wanted == slots[name] for name, wanted in pattern.items()) for pattern in case.exclude
    )


def no_content(case: Case) -> bool:
    """Ask whether no template for the locale's fallbacks exists, or an attribute that it needs is missing."""
    locales = case.document["messages"][case.message]["templates"][case.channel]
    default = (case.document.get("defaults") or {}).get("locale") or "en"
    locale = case.locale if isinstance(case.locale, str) else case.wishes.locale or default
    language = re.split("[-_]", locale)[0].lower()
    parts = next((locales[name] for name in (locale, language, default) if name in locales), None)
    attributes = {name for name, value in case.trigger.attributes.items() if str(value).strip()}
    return parts is None or not set().union(*map(names_needed, parts.values())) <= attributes


def names_needed(text: str) -> set[str]:
    """Return the names of the attributes that a text needs.

    >>> sorted(names_needed("{{ a }} {{ b | d('x') }} {{ c | money }} {% if e is defined %}{{ e }} {{ f }}{% endif %}"))
    ['a', 'c', 'f']
    """
    inner = re.compile(r"{% *if (\w+) is defined *%}(.*?)(?:{% *else *%}(.*?))?{% *endif *%}", re.S)
    names: set[str] = set()
    for name, then, other in inner.findall(text):
        names |= (names_needed(then) - {name}) | names_needed(other)
    for name, filters in re.findall(r"{{ *(\w+) *((?:\|[^}]*)?)}}", inner.sub("", text)):
        if not re.match(r"\| *(d|default) *\(", filters):
            names.add(name)
    return names


def expired(case: Case) -> bool:
    """Ask whether the send would come after the trigger's expiry."""
    return case.send_at > case.trigger.expires_at


def no_consent(case: Case) -> bool:
    """Ask whether the shopper has not consented to the channel."""
    if case.wishes.erased:
        return True
    if case.channel in case.wishes.consent:
        return not case.wishes.consent[case.channel]
    defaults = (case.document.get("defaults") or {}).get("consent")
    return defaults is not None and not defaults.get(case.channel, False)


def unreachable(case: Case) -> bool:
    """Ask whether the shopper cannot be reached on the channel."""
    return case.wishes.reachable.get(case.channel) is False


def preference(case: Case) -> bool:
    """Ask whether the shopper does not want it: muted, beyond the own weekly maximum, in own quiet hours."""
    wishes = case.wishes
    if case.category in wishes.muted:
        return True
    if wishes.quiet is not None and within(case.local(case.send_at), *wishes.quiet):
        return True
    return wishes.max_per_week is not None and overfull(case.times(), case.send_at, wishes.max_per_week, WEEK_S)


def holdout(case: Case) -> bool:
    """Ask whether the shopper is held out."""
    return case.held_out


def quiet_hours(case: Case) -> bool:
    """Ask whether it would arrive in the channel's quiet hours, by the shopper's clock at the send time."""
    span = case.document["channels"][case.channel].get("quiet_hours")
    return span is not None and within(case.local(case.send_at), minutes(span["from"]), minutes(span["to"]))


def suppression_window(case: Case) -> bool:
    """Ask whether an earlier send blocks this one for a while, or this one would block a later send."""
    return any(
        (
            case.category == rule["blocks"]
            and follows(case.send_at, case.times(category=rule["after"]), rule["window_s"])
        )
        or (
            case.category == rule["after"]
            and precedes(case.send_at, case.times(category=rule["blocks"]), rule["window_s"])
        )
        for rule in case.document.get("suppression") or ()
    )


def follows(at: float, others: list[float], window_s: float) -> bool:
    """Ask whether a time lies in [other, other + window_s) of another."""
    return any(other <= at and at - other < window_s for other in others)


def precedes(at: float, others: list[float], window_s: float) -> bool:
    """Ask whether another time lies in [at, at + window_s)."""
    return any(at <= other and other - at < window_s for other in others)


def cooldown(case: Case) -> bool:
    """Ask whether the same message is sent less than its cooldown away, before or after."""
    apart = case.document["messages"][case.message].get("cooldown_s")
    return apart is not None and any(abs(at - case.send_at) < apart for at in case.times(message=case.message))


def min_gap(case: Case) -> bool:
    """Ask whether any send is closer than the minimum gap, before or after."""
    apart = case.document.get("min_gap_s")
    return apart is not None and any(abs(at - case.send_at) < apart for at in case.times())


def cap_message(case: Case) -> bool:
    """Ask whether a cap of the message is full."""
    return any_full(case, case.document["messages"][case.message], case.times(message=case.message))


def cap_category(case: Case) -> bool:
    """Ask whether a cap of the category is full."""
    category = (case.document.get("categories") or {}).get(case.category, {})
    return any_full(case, category, case.times(category=case.category))


def cap_channel(case: Case) -> bool:
    """Ask whether a cap of the channel is full."""
    return any_full(case, case.document["channels"][case.channel], case.times(channel=case.channel))


def cap_global(case: Case) -> bool:
    """Ask whether a cap over all sends is full."""
    return any_full(case, case.document, case.times())


def budget(case: Case) -> bool:
    """Ask whether the send would cost more than is left of the channel's budget of that UTC day."""
    most = case.document["channels"][case.channel].get("daily_budget")
    return most is not None and case.spent + cost(case.document, case.message, case.channel) > money(most)


def any_full(case: Case, holder: Document, times: list[float]) -> bool:
    """Ask whether one more send would exceed one of the caps of a message, category, channel or catalogue."""
    return any(full(case, cap, times) for cap in holder.get("caps") or ())


def full(case: Case, cap: Document, times: list[float]) -> bool:
    """Ask whether one more send would exceed a cap: rolling, or of the local day or week."""
    if cap.get("window_s") is not None:
        return overfull(times, case.send_at, cap["max"], cap["window_s"])
    of = day if cap["calendar"] == "day" else week
    here = of(case.local(case.send_at))
    most: int = cap["max"]
    return 1 + sum(of(case.local(at)) == here for at in times) > most


def overfull(times: Iterable[float], at: float, most: int, window_s: float) -> bool:
    """Ask whether some window [b, b + window_s) that contains ``at`` holds too many sends, this one included.

    A window can always be moved to begin at a send without losing one.
    """
    sends = [*times, at]
    begins = [begin for begin in sends if begin <= at and at - begin < window_s]
    return any(sum(begin <= send and send - begin < window_s for send in sends) > most for begin in begins)


def within(local: datetime, start: int, end: int) -> bool:
    """Ask whether a clock shows a time of [start, end), in minutes, across midnight if start > end."""
    minute = local.hour * 60 + local.minute
    return start <= minute < end if start <= end else not end <= minute < start


def minutes(text: str) -> int:
    """Return "21:30" as minutes since midnight."""
    return int(text[:2]) * 60 + int(text[3:])


def day(local: datetime) -> date:
    return local.date()


def week(local: datetime) -> tuple[int, int]:
    """Return the calendar week, from Monday."""
    year, number, _ = local.isocalendar()
    return year, number


def money(amount: float) -> Decimal:
    """Return an amount exactly as it was written."""
    return Decimal(repr(amount)).quantize(Decimal("0.000001"))


def cost(document: Document, message: str, channel: str) -> Decimal:
    """Return the cost of a send: the cost of its channel plus the cost of its message."""
    return money(document["channels"][channel].get("cost", 0.0)) + money(document["messages"][message].get("cost", 0.0))


RULES: tuple[Callable[[Case], bool], ...] = (
    excluded_by_caller,
    no_content,
    expired,
    no_consent,
    unreachable,
    preference,
    holdout,
    quiet_hours,
    suppression_window,
    cooldown,
    min_gap,
    cap_message,
    cap_category,
    cap_channel,
    cap_global,
    budget,
)
"""Every rule, named by its code, in the order of the codes in API.md."""

OF_CRITICAL = frozenset({"excluded_by_caller", "no_content", "expired", "no_consent", "unreachable"})
"""The only rules that bind critical triggers."""

ASKED_AGAIN = frozenset(rule.__name__ for rule in RULES) - {"excluded_by_caller", "no_content", "holdout", "budget"}
"""What is checked again when a send is activated: consent, preferences, caps, quiet hours."""


def broken(case: Case) -> list[str]:
    """Return the names of the rules that the send would break, in the order of API.md."""
    asked = (rule for rule in RULES if not case.trigger.critical or rule.__name__ in OF_CRITICAL)
    return [rule.__name__ for rule in asked if rule(case)]
