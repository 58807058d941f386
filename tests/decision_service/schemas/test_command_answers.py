"""Short answers: a field that says nothing is left out."""

from __future__ import annotations

import msgspec

from decision_service.errors import FieldError
from decision_service.schemas.command_answers import CancellationAnswer, ItemAnswer, ItemsAnswer, PermissionAnswer


def test_only_an_invalid_item_names_a_field() -> None:
    answer = ItemsAnswer(1, [ItemAnswer("accepted"), ItemAnswer.invalid(FieldError("at", "is wrong"))])
    assert msgspec.json.encode(answer) == (
        b'{"accepted":1,"results":[{"status":"accepted"},{"status":"invalid","field":"at","message":"is wrong"}]}'
    )


def test_only_a_refusal_has_a_reason() -> None:
    assert msgspec.json.encode(PermissionAnswer(True)) == b'{"deliver":true}'
    assert msgspec.json.encode(PermissionAnswer(False, "cap_global")) == b'{"deliver":false,"reason":"cap_global"}'


def test_a_cancellation_names_the_decision() -> None:
    assert msgspec.json.encode(CancellationAnswer("e-1")) == b'{"event_id":"e-1","cancelled":true}'
