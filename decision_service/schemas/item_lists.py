"""Lists of items: the bytes of each item are cut out of the body, so that one that cannot be read fails alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from decision_service.errors import FieldError, Invalid
from decision_service.schemas.parsing import BodyType, parse, parse_loosely

MOST_ITEMS = 1_000


@dataclass(frozen=True)
class ItemList:
    """The parts of a body with a list.

    Parameters
    ----------
    items
        The JSON of each item.
    rest
        The JSON of all other fields.
    is_single
        The body was an item itself, without a list around it.
    errors
        The mistakes of the list as a whole.
    """

    items: tuple[bytes, ...]
    rest: bytes
    is_single: bool = False
    errors: tuple[FieldError, ...] = ()

    def read_rest(self, kind: type[BodyType]) -> BodyType:
        """Read the fields beside the list.

        Raises
        ------
        Malformed
            When the fields are not JSON.
        Invalid
            When the fields are wrong, or the list as a whole is wrong.
        """
        try:
            rest = parse(kind, self.rest)
        except Invalid as error:
            raise Invalid.fields([*self.errors, *error.errors]) from None
        if self.errors:
            raise Invalid.fields(self.errors)
        return rest


def split_list(raw: bytes, name: str, item_fields: Collection[str] = ()) -> ItemList:
    """Cut a body into its items.

    Parameters
    ----------
    raw
        The body.
    name
        The field of the list.
    item_fields
        The body may also be an item without a list: then it has all of these fields. Empty: there must be a list.

    Raises
    ------
    Malformed
        When the body is not JSON.
    Invalid
        When the body is no JSON object.
    """
    fields = _split_object(raw)
    if item_fields and name not in fields and all(field in fields for field in item_fields):
        rest = {"now": fields.pop("now")} if "now" in fields else {}
        return ItemList((_join(fields),), _join(rest), is_single=True)
    items, errors = _split_array(fields.pop(name, None))
    return ItemList(items, _join(fields), errors=tuple(FieldError(name, message) for message in errors))


def _split_object(raw: bytes) -> dict[str, bytes]:
    try:
        return {name: bytes(value) for name, value in msgspec.json.decode(raw, type=dict[str, Raw]).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = parse_loosely(raw)
    if not isinstance(document, dict):
        raise Invalid.field("body", "must be a JSON object")
    return {name: json.dumps(value).encode() for name, value in document.items()}


def _split_array(raw: bytes | None) -> tuple[tuple[bytes, ...], list[str]]:
    """Return the items of a list, and the mistakes of the list as a whole."""
    if raw is None:
        return (), ["Field required"]
    try:
        items = [bytes(item) for item in msgspec.json.decode(raw, type=list[Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = parse_loosely(raw)
        if not isinstance(document, list):
            return (), ["must be a list"]
        items = [json.dumps(item).encode() for item in document]
    is_long = not 1 <= len(items) <= MOST_ITEMS
    return tuple(items), [f"must have 1 to {MOST_ITEMS:,} items, not {len(items):,}"] if is_long else []


def _join(fields: Mapping[str, bytes]) -> bytes:
    members = (json.dumps(name).encode() + b":" + value for name, value in fields.items())
    return b"{" + b",".join(members) + b"}"
