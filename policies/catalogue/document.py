"""The catalogue: what may be sent, on which channels, after which delays, and under which rules.

One document, the same in YAML and over HTTP; validated as a whole, every mistake named by its path.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from policies.catalogue.templates import TemplateMistake, compile_template
from policies.records.rows import QuietHours

MAX_JOINT_ACTIONS = 20_000

_NOT_YET: dict[str, object] = {"opt_out_budget_per_1000": None, "arms.baseline": 0.0}
"""Keys of rules that are not built yet, with the neutral value that may stand there."""

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
    """Read a time of the day such as 21:30 as the minutes since midnight.

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
    """What holds for a shopper who has said nothing; a channel not named here has no consent.

    Without the whole ``consent`` block every channel has it.
    """

    consent: dict[Name, bool] | None = None
    time_zone: str = "UTC"
    locale: Locale = "en"


class Channel(_Part):
    """A way to reach a shopper.

    Cost per send, attribution window, frequency caps, quiet hours, and the sum of the costs of its sends that
    a UTC day may take.
    """

    cost: Money = 0.0
    attribution_window_s: Seconds
    caps: tuple[Cap, ...] = ()
    quiet_hours: QuietSpan | None = None
    daily_budget: Money | None = None


class Message(_Part):
    """What can be said: its category, the triggers it answers, templates by channel and locale.

    Two sends of it to one shopper are at least ``cooldown_s`` apart.
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
    """Shares of shoppers apart: a ``holdout`` gets no notification but critical ones."""

    holdout: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0


class Trigger(_Part):
    """Something that can happen to a shopper: lower ``priority`` is more urgent."""

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
            Naming every mistake of structure; or, where that is sound, every mistake of meaning.
        """
        mistakes, document = _without_neutral(document)
        try:
            catalogue = cls.model_validate_json(msgspec.json.encode(document))
        except ValidationError as error:
            mistakes += _first_causes([_mistake(detail) for detail in error.errors(include_url=False)])
            raise CatalogueError(tuple(mistakes)) from None
        mistakes += _meaning(catalogue)
        if mistakes:
            raise CatalogueError(tuple(mistakes))
        return catalogue

    def to_document(self) -> dict[str, Any]:
        """Give the document back: `from_document` reads an equal catalogue from it."""
        return self.model_dump(mode="json", by_alias=True)

    def consents(self, channel: str) -> bool:
        """Tell whether a shopper who has said nothing has consented to a channel."""
        return True if self.defaults.consent is None else self.defaults.consent.get(channel, False)


@dataclass(frozen=True)
class Mistake:
    """A place in the catalogue, as a dotted path, and what is wrong there."""

    path: str
    message: str


class CatalogueError(ValueError):
    """The document is no catalogue."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(f"{each.path}: {each.message}" for each in mistakes))
        self.mistakes = mistakes


def _without_neutral(document: Mapping[str, Any]) -> tuple[list[Mistake], Mapping[str, Any]]:
    """Drop keys of rules not built yet where they say nothing; name them where they say something."""
    if not isinstance(document, Mapping):
        return [], document
    mistakes = []
    kept = {
        name: dict(value) if name == "arms" and isinstance(value, Mapping) else value
        for name, value in document.items()
    }
    for path, neutral in _NOT_YET.items():
        parent, _, key = path.rpartition(".")
        holder = kept.get(parent) if parent else kept
        if isinstance(holder, dict) and key in holder and holder.pop(key) != neutral:
            mistakes.append(Mistake(path, "is not supported yet"))
    return mistakes, kept


def _mistake(detail: Mapping[str, Any]) -> Mistake:
    path = [str(part) for part in detail["loc"] if part != "[key]"]
    if detail["type"] != "extra_forbidden":
        return Mistake(".".join(path), str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input "))
    known = _fields_at(path[:-1])
    near = difflib.get_close_matches(path[-1], known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}" if known else ""
    return Mistake(".".join(path), f"is not a known key{hint}")


def _first_causes(mistakes: list[Mistake]) -> list[Mistake]:
    """Leave out what only follows from a mistake inside: a list whose items are wrong counts as empty."""
    return [mistake for mistake in mistakes if not any(other.path.startswith(f"{mistake.path}.") for other in mistakes)]


def _fields_at(path: list[str]) -> list[str]:
    """Give the field names of the model at a path."""
    annotation: Any = Catalogue
    for part in path:
        fields = getattr(annotation, "model_fields", None)
        annotation = fields[part].annotation if fields and part in fields else _item(annotation)
        while getattr(annotation, "__metadata__", None):
            annotation = annotation.__origin__
        if isinstance(annotation, UnionType):
            annotation = get_args(annotation)[0]  # of T | None
    fields = getattr(annotation, "model_fields", None)
    return [field.alias or name for name, field in fields.items()] if fields else []


def _item(annotation: Any) -> Any:
    """Give the type that a mapping or a tuple holds."""
    return next((each for each in reversed(get_args(annotation)) if each is not Ellipsis), None)


def _meaning(catalogue: Catalogue) -> list[Mistake]:
    """Find what no single key can tell: names that do not exist, delays not offered, templates that fail."""
    mistakes = [
        *_defaults(catalogue),
        *_delays("delays_s", catalogue.delays_s),
        *(each for name in catalogue.messages for each in _message(catalogue, name)),
        *_answered(catalogue),
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
            yield Mistake(f"defaults.consent.{channel}", _unknown("channel", channel, catalogue.channels))


def _delays(path: str, delays: tuple[int, ...]) -> Iterator[Mistake]:
    if list(delays) != sorted(set(delays)):
        yield Mistake(path, "must increase and not repeat")


def _message(catalogue: Catalogue, name: str) -> Iterator[Mistake]:
    message, path = catalogue.messages[name], f"messages.{name}"
    for number, trigger in enumerate(message.triggers):
        if trigger not in catalogue.triggers:
            yield Mistake(f"{path}.triggers.{number}", _unknown("trigger", trigger, catalogue.triggers))
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
            yield Mistake(here, _unknown("channel", channel, catalogue.channels))
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


def _answered(catalogue: Catalogue) -> Iterator[Mistake]:
    answered = {trigger for message in catalogue.messages.values() for trigger in message.triggers}
    for trigger in catalogue.triggers:
        if trigger not in answered:
            yield Mistake(f"triggers.{trigger}", "no message answers it")


def _categories(catalogue: Catalogue) -> Iterator[Mistake]:
    known = {message.category: None for message in catalogue.messages.values()}
    for category in catalogue.categories:
        if category not in known:
            yield Mistake(f"categories.{category}", _unknown("category", category, known))
    for number, suppression in enumerate(catalogue.suppression):
        for key, category in (("after", suppression.after), ("blocks", suppression.blocks)):
            if category not in known:
                yield Mistake(f"suppression.{number}.{key}", _unknown("category", category, known))


def _unknown(kind: str, name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no {kind} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
