"""The catalogue: what may be sent, on which channels, after which delays, and under which rules.

One document, the same in YAML and over HTTP; validated as a whole, every mistake named by its path.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.content import TemplateMistake, compile_template

MAX_JOINT_ACTIONS = 20_000

_NOT_YET: dict[str, object] = {
    "channels.*.quiet_hours": None,
    "channels.*.daily_budget": None,
    "messages.*.cooldown_s": None,
    "messages.*.caps": [],
    "categories": {},
    "min_gap_s": None,
    "suppression": [],
    "opt_out_budget_per_1000": None,
    "arms.holdout": 0.0,
    "arms.baseline": 0.0,
}
"""Keys of rules that are not built yet, with the neutral value that may stand there."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Money = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=1, le=31 * 86_400)]
Delay = Annotated[int, Field(ge=0, le=14 * 86_400)]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Templates = dict[Name, Annotated[dict[Locale, dict[Name, str]], Field(min_length=1)]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Cap(_Part):
    """At most ``max`` sends in any rolling window of ``window_s`` seconds."""

    max: Annotated[int, Field(ge=1, le=256)]
    window_s: Seconds


class Defaults(_Part):
    """What holds for a shopper who has said nothing; a channel not named here has no consent.

    Without the whole ``consent`` block every channel has it.
    """

    consent: dict[Name, bool] | None = None
    time_zone: str = "UTC"
    locale: Locale = "en"


class Channel(_Part):
    """A way to reach a shopper: cost per send, attribution window, frequency caps."""

    cost: Money = 0.0
    attribution_window_s: Seconds
    caps: tuple[Cap, ...] = ()


class Message(_Part):
    """What can be said: its category, the triggers it answers, templates by channel and locale."""

    category: Name
    triggers: Annotated[tuple[Name, ...], Field(min_length=1)]
    cost: Money = 0.0
    delays_s: tuple[Delay, ...] | None = None
    templates: Annotated[Templates, Field(min_length=1)]


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
    reward: Reward = Reward()

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
        return self.model_dump(mode="json")

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


def _without_neutral(document: Mapping[str, Any]) -> tuple[list[Mistake], dict[str, Any]]:
    """Drop keys of rules not built yet where they say nothing; name them where they say something."""
    mistakes: list[Mistake] = []
    if not isinstance(document, Mapping):
        return mistakes, document

    def strip(node: Mapping[Any, Any], path: tuple[str, ...]) -> dict[Any, Any]:
        kept: dict[Any, Any] = {}
        for key, value in node.items():
            here = (*path, str(key))
            rule = _pattern(here)
            if rule in _NOT_YET:
                if value != _NOT_YET[rule]:
                    mistakes.append(Mistake(".".join(here), "is not supported yet"))
            elif key == "calendar" and path and "caps" in path:
                mistakes.append(Mistake(".".join(here), "calendar caps are not supported yet"))
            elif isinstance(value, Mapping):
                kept[key] = strip(value, here)
            elif isinstance(value, list):
                kept[key] = [
                    strip(each, (*here, str(number))) if isinstance(each, Mapping) else each
                    for number, each in enumerate(value)
                ]
            else:
                kept[key] = value
        return kept

    stripped = strip(document, ())
    if stripped.get("arms") == {}:
        del stripped["arms"]
    return mistakes, stripped


def _pattern(path: tuple[str, ...]) -> str:
    if len(path) == 3 and path[0] in {"channels", "messages"}:
        return f"{path[0]}.*.{path[2]}"
    return ".".join(path)


def _mistake(detail: Mapping[str, Any]) -> Mistake:
    path = [str(part) for part in detail["loc"] if part != "[key]"]
    if detail["type"] != "extra_forbidden":
        return Mistake(".".join(path), str(detail["msg"]).removeprefix("Input "))
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
    fields = getattr(annotation, "model_fields", None)
    return list(fields) if fields else []


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


def _unknown(kind: str, name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no {kind} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
