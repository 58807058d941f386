"""Preferences of a shopper, as PUT reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field

from decision_service.errors import Malformed, ServiceError
from decision_service.schemas.body_types import Body
from decision_service.schemas.field_types import Name, Time
from decision_service.schemas.parsing import parse_item, parse_loosely
from policies.catalogue.document import Locale
from policies.catalogue.quiet_hours import SpansOfDay

ByChannel = dict[Name, bool | None] | None
"""Words by channel; null goes back to the catalogue's default."""


class PreferencesBody(Body):
    """A change of preferences.

    Absent fields and channels keep their value, null goes back to the catalogue's default. ``stated`` lists the paths
    that are the shopper's own words; without the list every field is. ``at`` is the date of the words.
    """

    consent: ByChannel = None
    reachable: ByChannel = None
    subscribed: bool | None = None
    muted_categories: Annotated[list[Name], Field(max_length=1_000)] | None = None
    max_per_week: Annotated[int, Field(ge=0, le=256)] | None = None
    quiet_hours: SpansOfDay = None
    time_zone: Annotated[str, Field(max_length=100)] | None = None
    locale: Annotated[Locale, Field(max_length=35)] | None = None
    stated: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=3_000)] | None = None
    at: Time | None = None
    now: Time | None = None


def read_withdrawals(raw: bytes) -> PreferencesBody:
    """Return the part of a refused body that can be read and withholds something, and its date.

    A list may be longer here than in a body that is not refused: no withdrawal is cut off.

    >>> body = read_withdrawals(b'{"consent": {"push": false, "sms": true}, "max_per_week": -1}')
    >>> body.consent, body.model_fields_set
    ({'push': False}, {'consent'})
    """
    try:
        document = parse_loosely(raw)
    except Malformed:
        document = None
    parts = list(_readable_parts(document)) if isinstance(document, dict) else []
    words: dict[str, Any] = {}
    for field, value in parts:
        match value:
            case dict():
                words.setdefault(field, {}).update(value)
            case list():
                words.setdefault(field, []).extend(value)
            case _:
                words[field] = value
    return PreferencesBody.model_construct(**words)


def _readable_parts(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a document that withhold something or date it, where they can be read by themselves."""
    for field, value in _parts(document):
        with suppress(ServiceError):
            yield field, getattr(parse_item(PreferencesBody, {field: value}), field)


def _parts(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field in ("consent", "reachable"):
        words = document.get(field)
        yield from ((field, {name: False}) for name, word in _items(words) if word is False)
    if document.get("subscribed") is False:
        yield "subscribed", False
    for field in ("muted_categories", "stated"):
        values = document.get(field)
        yield from ((field, [value]) for value in (values if isinstance(values, list) else ()))
    if isinstance(document.get("at"), str):
        yield "at", document["at"]


def _items(words: object) -> Iterator[tuple[str, Any]]:
    yield from words.items() if isinstance(words, dict) else ()
