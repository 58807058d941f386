"""Problem documents: the fields of RFC 9457 in the order in which they are read."""

from __future__ import annotations

import msgspec

from decision_service.errors import FieldError
from decision_service.schemas.problems import Problem


def test_a_problem_names_the_wrong_fields_last() -> None:
    problem = Problem(title="Unprocessable Entity", status=422, detail="why", errors=[FieldError("now", "is wrong")])
    assert msgspec.json.encode(problem) == (
        b'{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"why",'
        b'"errors":[{"field":"now","message":"is wrong"}]}'
    )
