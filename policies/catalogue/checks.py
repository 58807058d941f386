"""Checks of a catalogue's meaning: names that exist, delays that are offered, templates that cannot fail.

The checks read the plain document, so that one answer names the mistakes of meaning beside the mistakes of structure. A
check passes over what has the wrong type: the schema (`policies.catalogue.document`) names that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from policies.catalogue.locales import lookup_chain, normalize
from policies.catalogue.mistakes import Mistake, describe_unknown
from policies.catalogue.templates.syntax import Tree
from policies.catalogue.templates.template import DATA
from policies.catalogue.time_zones import is_time_zone, time_zones

MAX_JOINT_ACTIONS = 20_000

Document = Mapping[str, Any]


def find_mistakes(document: object) -> list[Mistake]:
    """Return the mistakes of meaning in a document."""
    if not isinstance(document, Mapping):
        return []
    return [
        *_defaults(document),
        *_increasing("delays_s", document.get("delays_s")),
        *(mistake for name, message in _parts(document, "messages") for mistake in _message(document, name, message)),
        *_triggers(document),
        *_categories(document),
        *_former_names(document, "channels", "channel", _names(document, "channels")),
        *_former_names(document, "categories", "category", [*_known_categories(document)]),
        *_former_names(document, "messages", "message", _names(document, "messages")),
        *_size(document),
    ]


def _parts(document: Document, key: str) -> Iterator[tuple[str, Document]]:
    """Yield the name and the content of each part under a key."""
    parts = document.get(key)
    if isinstance(parts, Mapping):
        yield from ((name, part) for name, part in parts.items() if isinstance(part, Mapping))


def _names(document: Document, key: str) -> list[str]:
    parts = document.get(key)
    return [*parts] if isinstance(parts, Mapping) else []


def _texts(values: object) -> list[tuple[int, str]]:
    """Return the texts of a list with their positions."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return []
    return [(number, value) for number, value in enumerate(values) if isinstance(value, str)]


def _mapping(part: Document, key: str) -> Document:
    value = part.get(key)
    return value if isinstance(value, Mapping) else {}


def _defaults(document: Document) -> Iterator[Mistake]:
    defaults, channels = _mapping(document, "defaults"), _names(document, "channels")
    zone = defaults.get("time_zone")
    if isinstance(zone, str) and not is_time_zone(zone):
        yield Mistake("defaults.time_zone", describe_unknown("time zone of the IANA database", zone, time_zones()))
    for channel in _mapping(defaults, "consent"):
        if channel not in channels:
            yield Mistake(f"defaults.consent.{channel}", describe_unknown("channel", channel, channels))


def _increasing(path: str, delays: object) -> Iterator[Mistake]:
    if _are_delays(delays) and list(delays) != sorted(set(delays)):
        yield Mistake(path, "must increase and not repeat")


def _are_delays(delays: object) -> TypeGuard[Sequence[int]]:
    return isinstance(delays, Sequence) and all(isinstance(delay, int) for delay in delays)


def _message(document: Document, name: str, message: Document) -> Iterator[Mistake]:
    path, triggers = f"messages.{name}", _names(document, "triggers")
    for number, trigger in _texts(message.get("triggers")):
        if trigger not in triggers:
            yield Mistake(f"{path}.triggers.{number}", describe_unknown("trigger", trigger, triggers))
    yield from _own_delays(f"{path}.delays_s", message.get("delays_s"), document.get("delays_s"))
    for channel, locales in _parts(message, "templates"):
        here, channels = f"{path}.templates.{channel}", _names(document, "channels")
        if channel not in channels:
            yield Mistake(here, describe_unknown("channel", channel, channels))
        yield from _locales(here, locales, _mapping(document, "defaults").get("locale", "en"))


def _own_delays(path: str, delays: object, offered: object) -> Iterator[Mistake]:
    """Check the delays of one message against those that the catalogue offers."""
    if not _are_delays(delays):
        return
    yield from _increasing(path, delays)
    if not delays:
        yield Mistake(path, "must name a delay, or be absent")
    for number, delay in enumerate(delays):
        if _are_delays(offered) and delay not in offered:
            yield Mistake(f"{path}.{number}", f"{delay} is not among the catalogue's delays_s")


def _locales(path: str, locales: Document, default: object) -> Iterator[Mistake]:
    names = {normalize(locale): locale for locale in reversed([*locales])}
    if isinstance(default, str) and names.keys().isdisjoint(lookup_chain(default)):
        yield Mistake(path, f"has no template for the default locale {default!r}")
    for locale, parts in locales.items():
        if (twin := names[normalize(locale)]) != locale:
            yield Mistake(f"{path}.{locale}", f"is the same locale as {twin!r}: case and separator do not matter")
        if isinstance(parts, Mapping):
            yield from _template(f"{path}.{locale}", parts)


def _template(path: str, parts: Document) -> Iterator[Mistake]:
    if "body" not in parts:
        yield Mistake(path, "needs a body")
    for name, text in parts.items():
        if isinstance(text, str) and (reason := _find_fault(text)):
            yield Mistake(f"{path}.{name}", reason)
    if DATA in parts:
        yield Mistake(f"{path}.{DATA}", "is the service's own part of the content: give the part another name")


def _find_fault(text: str) -> str | None:
    """Return why a text is refused, None for a good one."""
    try:
        return Tree.parse(text).poverty
    except ValueError as error:
        return str(error)


def _triggers(document: Document) -> Iterator[Mistake]:
    messages = [message for _, message in _parts(document, "messages")]
    if len(messages) < len(_names(document, "messages")) or any("triggers" not in message for message in messages):
        return
    answered = {trigger for message in messages for _, trigger in _texts(message["triggers"])}
    for trigger in _names(document, "triggers"):
        if trigger not in answered:
            yield Mistake(f"triggers.{trigger}", "no message answers it")


def _known_categories(document: Document) -> dict[str, None]:
    categories = (message.get("category") for _, message in _parts(document, "messages"))
    return {category: None for category in categories if isinstance(category, str)}


def _categories(document: Document) -> Iterator[Mistake]:
    known = _known_categories(document)
    for category in _names(document, "categories"):
        if category not in known:
            yield Mistake(f"categories.{category}", describe_unknown("category", category, known))
    suppression = document.get("suppression")
    for number, part in enumerate(suppression if isinstance(suppression, Sequence) else ()):
        named = [(key, part.get(key)) for key in ("after", "blocks")] if isinstance(part, Mapping) else []
        for key, name in named:
            if isinstance(name, str) and name not in known:
                yield Mistake(f"suppression.{number}.{key}", describe_unknown("category", name, known))


def _former_names(document: Document, key: str, kind: str, in_use: Sequence[str]) -> Iterator[Mistake]:
    """Check that an old name stands under one new name, and is no name in use."""
    new_names: dict[str, str] = {}
    for name, part in _parts(document, key):
        for number, old in _texts(part.get("formerly")):
            path = f"{key}.{name}.formerly.{number}"
            if old in in_use:
                yield Mistake(path, f"is the name of a {kind} in use; an old name must not be in use")
            if old in new_names:
                yield Mistake(path, f"stands under {new_names[old]!r} already; an old name has one new name")
            new_names.setdefault(old, name)


def _size(document: Document) -> Iterator[Mistake]:
    size = 0
    for _, message in _parts(document, "messages"):
        delays = message.get("delays_s") or document.get("delays_s")
        size += len(_mapping(message, "templates")) * (len(delays) if _are_delays(delays) else 0)
    if size > MAX_JOINT_ACTIONS:
        yield Mistake("messages", f"make {size} joint actions; at most {MAX_JOINT_ACTIONS} are possible")
