"""The catalogue: what may be sent, on which channels, after which delays, and under which rules.

One document, the same in YAML and over HTTP: first the schema, below it the checks that look at several keys. Every
mistake is named by its path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from policies.catalogue.mistakes import CatalogueError, Mistake, describe_unknown, drop_neutral_keys, mistakes_of
from policies.catalogue.templates import TemplateMistake, compile_template
from policies.records.rows import QuietHours

MAX_JOINT_ACTIONS = 20_000

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Money = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=1, le=31 * 86_400)]
Delay = Annotated[int, Field(ge=0, le=14 * 86_400)]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Templates = dict[Name, Annotated[dict[Locale, dict[Name, str]], Field(min_length=1)]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Cap(_Part):
    """At most ``max`` sends in any rolling window of ``window_s`` seconds, or in a calendar day or week.

    Days and weeks (from Monday) are those of the shopper's own zone.
    """

    max: Annotated[int, Field(ge=1, le=256)]
    window_s: Seconds | None = None
    calendar: Literal["day", "week"] | None = None

    @model_validator(mode="after")
    def _rolls_or_follows_the_calendar(self) -> Cap:
        if (self.window_s is None) == (self.calendar is None):
            raise ValueError("needs either window_s or calendar")
        return self


def minute_of_day(text: str) -> int:
    """Return a time of the day such as 21:30 as minutes since midnight.

    >>> minute_of_day("21:30")
    1290
    """
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


class QuietSpan(_Part):
    """Hours of the shopper's own day in which nothing may arrive, ``from`` included, ``to`` not; may cross midnight."""

    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")

    @model_validator(mode="after")
    def _is_not_empty(self) -> QuietSpan:
        if self.start == self.end:
            raise ValueError("from and to are the same: leave quiet_hours out, or give consent up")
        return self

    @property
    def hours(self) -> QuietHours:
        """The span in minutes of the day."""
        return QuietHours(minute_of_day(self.start), minute_of_day(self.end))


class Defaults(_Part):
    """What holds for a shopper who has said nothing.

    A channel that ``consent`` does not name has no consent. Without the whole ``consent`` block every channel has
    consent.
    """

    consent: dict[Name, bool] | None = None
    time_zone: str = "UTC"
    locale: Locale = "en"


class Channel(_Part):
    """A way to reach a shopper.

    ``daily_budget`` is the most that the sends of a UTC day may cost together.
    """

    cost: Money = 0.0
    attribution_window_s: Seconds
    caps: tuple[Cap, ...] = ()
    quiet_hours: QuietSpan | None = None
    daily_budget: Money | None = None


class Message(_Part):
    """A message: its category, the triggers that it answers, and its templates by channel and locale.

    Two sends of the message to one shopper are at least ``cooldown_s`` apart.
    """

    category: Name
    triggers: Annotated[tuple[Name, ...], Field(min_length=1)]
    cost: Money = 0.0
    cooldown_s: Seconds | None = None
    caps: tuple[Cap, ...] = ()
    delays_s: tuple[Delay, ...] | None = None
    templates: Annotated[Templates, Field(min_length=1)]


class Category(_Part):
    """Rules for all messages of a category."""

    caps: tuple[Cap, ...] = ()


class Suppression(_Part):
    """A send of the category ``after`` blocks the category ``blocks`` for ``window_s`` seconds from its send time."""

    after: Name
    blocks: Name
    window_s: Seconds


class Arms(_Part):
    """Shares of shoppers that are treated differently: the ``holdout`` gets only critical notifications."""

    holdout: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0


class Trigger(_Part):
    """Something that can happen to a shopper. A lower ``priority`` is more urgent."""

    priority: Annotated[int, Field(ge=0, le=1_000)] = 5
    expires_s: Seconds
    critical: bool = False


class Reward(_Part):
    """Weights of the reward of a delivered send, which is clipped to ±``max``."""

    click: Money = 0.1
    open: Money = 0.0
    margin: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.3
    consent_value: Money = 4.0
    complaint: Money = 8.0
    max: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 20.0


class Catalogue(_Part):
    """A valid catalogue.

    Examples
    --------
    >>> catalogue = Catalogue.from_document({
    ...     "delays_s": [0, 3600],
    ...     "channels": {"push": {"attribution_window_s": 14400}},
    ...     "triggers": {"wishlist": {"expires_s": 86400}},
    ...     "messages": {"hint": {"category": "wish", "triggers": ["wishlist"],
    ...                           "templates": {"push": {"en": {"title": "Hi", "body": "{{ product }}"}}}}},
    ... })
    >>> catalogue.channels["push"].attribution_window_s
    14400
    """

    defaults: Defaults = Defaults()
    delays_s: Annotated[tuple[Delay, ...], Field(min_length=1)]
    channels: Annotated[dict[Name, Channel], Field(min_length=1)]
    messages: Annotated[dict[Name, Message], Field(min_length=1)]
    triggers: Annotated[dict[Name, Trigger], Field(min_length=1)]
    caps: tuple[Cap, ...] = ()
    categories: dict[Name, Category] = {}
    min_gap_s: Seconds | None = None
    suppression: tuple[Suppression, ...] = ()
    reward: Reward = Reward()
    arms: Arms = Arms()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Catalogue:
        """Validate a document.

        Raises
        ------
        CatalogueError
            Naming every mistake of structure; without any, every mistake of meaning.
        """
        mistakes, document = drop_neutral_keys(document)
        try:
            catalogue = cls.model_validate_json(msgspec.json.encode(document))
        except ValidationError as error:
            mistakes += mistakes_of(error, cls)
            raise CatalogueError(tuple(mistakes)) from None
        mistakes += _find_mistakes(catalogue)
        if mistakes:
            raise CatalogueError(tuple(mistakes))
        return catalogue

    def to_document(self) -> dict[str, Any]:
        """Return the document from which `from_document` reads an equal catalogue."""
        return self.model_dump(mode="json", by_alias=True)

    def consents(self, channel: str) -> bool:
        """Return whether a shopper who has said nothing has consented to a channel."""
        return True if self.defaults.consent is None else self.defaults.consent.get(channel, False)


def _find_mistakes(catalogue: Catalogue) -> list[Mistake]:
    """Return the mistakes of meaning: names that do not exist, delays that are not offered, templates that fail."""
    mistakes = [
        *_defaults(catalogue),
        *_delays("delays_s", catalogue.delays_s),
        *(mistake for name in catalogue.messages for mistake in _message(catalogue, name)),
        *_triggers(catalogue),
        *_categories(catalogue),
    ]
    size = sum(
        len(message.templates) * len(message.delays_s or catalogue.delays_s) for message in catalogue.messages.values()
    )
    if size > MAX_JOINT_ACTIONS:
        mistakes.append(Mistake("messages", f"make {size} joint actions; at most {MAX_JOINT_ACTIONS} are possible"))
    return mistakes


def _defaults(catalogue: Catalogue) -> Iterator[Mistake]:
    try:
        ZoneInfo(catalogue.defaults.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Mistake("defaults.time_zone", f"{catalogue.defaults.time_zone!r} is not a known IANA time zone")
    for channel in catalogue.defaults.consent or {}:
        if channel not in catalogue.channels:
            yield Mistake(f"defaults.consent.{channel}", describe_unknown("channel", channel, catalogue.channels))


def _delays(path: str, delays: tuple[int, ...]) -> Iterator[Mistake]:
    if list(delays) != sorted(set(delays)):
        yield Mistake(path, "must increase and not repeat")


def _message(catalogue: Catalogue, name: str) -> Iterator[Mistake]:
    message, path = catalogue.messages[name], f"messages.{name}"
    for number, trigger in enumerate(message.triggers):
        if trigger not in catalogue.triggers:
            yield Mistake(f"{path}.triggers.{number}", describe_unknown("trigger", trigger, catalogue.triggers))
    if message.delays_s is not None:
        yield from _delays(f"{path}.delays_s", message.delays_s)
        if not message.delays_s:
            yield Mistake(f"{path}.delays_s", "must name a delay, or be absent")
        for number, delay in enumerate(message.delays_s):
            if delay not in catalogue.delays_s:
                yield Mistake(f"{path}.delays_s.{number}", f"{delay} is not among the catalogue's delays_s")
    for channel, locales in message.templates.items():
        here = f"{path}.templates.{channel}"
        if channel not in catalogue.channels:
            yield Mistake(here, describe_unknown("channel", channel, catalogue.channels))
        if catalogue.defaults.locale not in locales:
            yield Mistake(here, f"has no template for the default locale {catalogue.defaults.locale!r}")
        for locale, parts in locales.items():
            yield from _template(f"{here}.{locale}", parts)


def _template(path: str, parts: Mapping[str, str]) -> Iterator[Mistake]:
    if "body" not in parts:
        yield Mistake(path, "needs a body")
    try:
        compile_template(parts)
    except TemplateMistake as mistake:
        yield Mistake(f"{path}.{mistake.part}", str(mistake))


def _triggers(catalogue: Catalogue) -> Iterator[Mistake]:
    answered = {trigger for message in catalogue.messages.values() for trigger in message.triggers}
    for trigger in catalogue.triggers:
        if trigger not in answered:
            yield Mistake(f"triggers.{trigger}", "no message answers it")


def _categories(catalogue: Catalogue) -> Iterator[Mistake]:
    known = {message.category: None for message in catalogue.messages.values()}
    for category in catalogue.categories:
        if category not in known:
            yield Mistake(f"categories.{category}", describe_unknown("category", category, known))
    for number, suppression in enumerate(catalogue.suppression):
        for key, category in (("after", suppression.after), ("blocks", suppression.blocks)):
            if category not in known:
                yield Mistake(f"suppression.{number}.{key}", describe_unknown("category", category, known))
