"""Bodies: strict, and every wrong field named."""

from __future__ import annotations

from typing import Any

import pytest

from decision_service.errors import Invalid, Malformed
from decision_service.schemas.preferences_change import PreferencesBody
from decision_service.schemas.requests import DecideBody, MomentBody, parse, parse_item, parse_json

SMALL: dict[str, Any] = {"shopper_id": "s-1", "triggers": [{"type": "wishlist"}]}


def fields_refused(**changes: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        parse_item(DecideBody, SMALL | changes)
    return [error.field for error in refused.value.errors]


def test_what_is_absent_has_its_default() -> None:
    body = parse_item(DecideBody, SMALL)
    assert (body.event_id, body.context, body.exclude, body.defer_activation, body.now) == (None, {}, [], False, None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shopper_id": 7}, "shopper_id"),
        ({"shopper_id": "a/timeline"}, "shopper_id"),
        ({"shopper_id": "a/preferences"}, "shopper_id"),
        ({"event_id": "x" * 256}, "event_id"),
        ({"triggers": []}, "triggers"),
        ({"triggers": [{"type": "wishlist", "priority": "1"}]}, "triggers.0.priority"),
        ({"context": {"a": None}}, "context.a"),
        ({"context": {"a": 2**53 + 1}}, "context.a"),
        ({"now": "2026-11-21T17:00:00"}, "now"),
        ({"now": "2200-01-01T00:00:00Z"}, "now"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(changes: dict[str, Any], field: str) -> None:
    assert fields_refused(**changes) == [field]


def test_all_wrong_fields_are_named_and_the_sentence_tells_the_first_five() -> None:
    many = {f"field_{number}": 1 for number in range(7)}
    assert fields_refused(**many) == list(many)
    with pytest.raises(Invalid) as refused:
        parse_item(DecideBody, SMALL | many)
    assert refused.value.detail.count("is not a known field") == 5


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": "\xff"}', b"[" * 100_000])
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    for read in (lambda: parse(MomentBody, raw), lambda: parse_json(raw)):
        with pytest.raises(Malformed):
            read()


def test_a_field_that_is_absent_is_not_one_that_is_null() -> None:
    body = parse(PreferencesBody, b'{"locale": null, "quiet_hours": {"from": "22:00", "to": "07:00"}}')
    assert body.model_fields_set == {"locale", "quiet_hours"}
    assert body.quiet_hours is not None
    (span,) = body.quiet_hours
    assert (span.start, span.end) == ("22:00", "07:00")
