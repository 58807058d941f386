"""A replica answers for its own run only, and says in every answer which run that is."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from decision_service.runtime.ingress.identity import HEADER, IdentityCheck, build_middlewares, identity_of
from decision_service.runtime.leftovers import TOKEN_VARIABLE


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def client(calls: list[str]) -> TestClient:
    app = FastAPI()

    @app.post("/v1/decide")
    def decide() -> Response:
        calls.append("decide")
        return Response("{}", 202, {"x-other": "kept"})

    return TestClient(IdentityCheck(app, "mine"))


@pytest.mark.parametrize("headers", [{}, {HEADER: "mine"}])
def test_a_request_for_this_run_or_for_none_is_answered(
    client: TestClient, calls: list[str], headers: dict[str, str]
) -> None:
    answer = client.post("/v1/decide", headers=headers)
    assert (answer.status_code, answer.headers[HEADER], answer.headers["x-other"]) == (202, "mine", "kept")
    assert calls == ["decide"]


@pytest.mark.parametrize("other", ["other", "", "MINE", "mine "])
def test_a_request_for_another_run_does_nothing(client: TestClient, calls: list[str], other: str) -> None:
    answer = client.post("/v1/decide", headers=[(HEADER, "mine"), (HEADER, other + "x")])
    assert (answer.status_code, answer.headers[HEADER]) == (421, "mine")
    assert calls == []


def test_an_answer_of_the_framework_has_the_identity_too(client: TestClient) -> None:
    assert client.get("/nothing").headers[HEADER] == "mine"


def test_the_identity_comes_from_the_token_of_the_run_and_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "token")
    (middleware,) = build_middlewares()
    assert middleware.kwargs == {"identity": identity_of("token")}
    assert identity_of("token") != identity_of("token2")
    assert "token" not in identity_of("token")
