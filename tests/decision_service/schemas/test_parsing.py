"""Two readers of one body: what msgspec reads, pydantic reads the same; what is refused, pydantic explains."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from hypothesis import given, settings
from pydantic import BaseModel

from decision_service.errors import ServiceError
from decision_service.pipeline.request_reader import fingerprint
from decision_service.schemas.parsing import parse
from decision_service.schemas.requests import DecideBody
from tests.decision_service.schemas.earlier_bodies import earlier_fingerprint, parse_earlier
from tests.decision_service.schemas.spelled_bodies import bodies, bodies_with_one_odd_value


def facts(value: Any) -> Any:
    """Return what a body says, with the type of every value; a time by its instant and its offset."""
    match value:
        case BaseModel():
            return facts(dict(value))
        case msgspec.Struct():
            return facts(msgspec.structs.asdict(value))
        case dict():
            return {name: facts(item) for name, item in value.items()}
        case list():
            return [facts(item) for item in value]
        case datetime():
            return (value.timestamp(), value.utcoffset())
    return (type(value), repr(value))


def words(error: ServiceError) -> Any:
    return (type(error), error.detail, list(error.errors))


def reading(read: Any, raw: bytes) -> Any:
    try:
        return facts(read(raw))
    except ServiceError as error:
        return words(error)


def test_every_odd_value_of_every_field_is_read_and_refused_as_by_the_version_before() -> None:
    for raw in bodies_with_one_odd_value():
        assert reading(lambda raw: parse(DecideBody, raw), raw) == reading(parse_earlier, raw), raw


@settings(max_examples=300)
@given(bodies())
def test_a_body_is_read_and_refused_as_by_the_version_before(raw: bytes) -> None:
    assert reading(lambda raw: parse(DecideBody, raw), raw) == reading(parse_earlier, raw)


@settings(max_examples=200)
@given(bodies())
def test_the_fingerprint_of_a_body_is_that_of_the_version_before(raw: bytes) -> None:
    try:
        body = parse(DecideBody, raw)
    except ServiceError:
        return
    assert fingerprint(body) == earlier_fingerprint(parse_earlier(raw))
