"""Errors on the wire: one status each, one document."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from decision_service import errors
from decision_service.api.problems import STATUSES, problem_of, problem_response, status_of


def all_errors(base: type[errors.ServiceError] = errors.ServiceError) -> Iterator[type[errors.ServiceError]]:
    yield base
    for kind in base.__subclasses__():
        yield from all_errors(kind)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.Malformed, 400),
        (errors.NotFound, 404),
        (errors.DecisionConflict, 409),
        (errors.Erased, 410),
        (errors.TooLarge, 413),
        (errors.Invalid, 422),
        (errors.ServiceError, 500),
        (errors.Unavailable, 503),
        (errors.Uncertain, 503),
    ],
)
def test_an_error_has_its_status_and_the_name_of_the_status(kind: type[errors.ServiceError], status: int) -> None:
    response = problem_response(kind("why"))
    assert response.status_code == status
    assert response.media_type == "application/problem+json"
    document = msgspec.json.decode(response.body)
    assert list(document) == ["type", "title", "status", "detail", "errors"]
    assert (document["type"], document["status"], document["detail"]) == ("about:blank", status, "why")
    assert document["title"] == status_of(kind).phrase
    assert response.headers.get("Retry-After") == ("1" if status == 503 else None)


def test_every_error_but_the_finer_ones_is_in_the_table() -> None:
    assert set(all_errors()) - set(STATUSES) == {errors.Uncertain}


def test_a_wrong_field_is_named() -> None:
    problem = problem_of(errors.Invalid.field("now", "is required"))
    assert problem.detail == "now: is required"
    assert list(problem.errors) == [errors.FieldError("now", "is required")]
