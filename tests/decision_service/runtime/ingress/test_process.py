"""A real HAProxy as the ingress, before a small back end: what callers see from the first second to the last."""

from __future__ import annotations

import http.client
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from decision_service.runtime import haproxy
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.ingress.address import take_address
from decision_service.runtime.ingress.configuration import IngressPlan
from decision_service.runtime.ingress.identity import HEADER
from decision_service.runtime.ingress.process import Ingress
from tests.decision_service.runtime.ingress.back_end import IDENTITY, BackEnd, connect, exchange

PROBLEM = "application/problem+json"
PROGRAM = haproxy.find_binary()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no HAProxy on this platform")


class Place:
    """A listening socket, a back end, and an ingress between them."""

    def __init__(self, stack: ExitStack, *, opened: bool = True, **limits: int) -> None:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="in-", dir="/tmp")))
        self.directory = directory
        self.taken = stack.enter_context(take_address("127.0.0.1", 0))
        self.address: tuple[str, int] = self.taken.getsockname()
        socket_path = directory / "serve"
        self.back_end = stack.enter_context(BackEnd(socket_path))
        stack.callback(self.back_end.shutdown)
        plan = IngressPlan(directory=directory, service_socket=socket_path, identity=IDENTITY, replicas=1, **limits)
        assert PROGRAM is not None
        self.ingress = Ingress(PROGRAM, self.taken, plan, directory / "log", os.environ)
        stack.enter_context(self.ingress)
        if opened:
            self.ingress.open()

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Seen:
        with closing(http.client.HTTPConnection(*self.address, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            return Seen(connection.getresponse())


class Seen:
    """An answer as the caller sees it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.type = response.headers.get_content_type()
        self.headers = response.headers
        self.body = response.read()

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    def assert_problem(self, status: int) -> None:
        assert (self.status, self.type, self.document["status"]) == (status, PROBLEM, status)
        assert self.document.keys() == {"type", "title", "status", "detail", "errors"}
        assert ("Retry-After" in self.headers) == (status in (429, 503))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def place(stack: ExitStack) -> Place:
    return Place(stack)


@pytest.mark.parametrize("path", ["/v1/decide", "/readyz", "/metrics", "/docs", "/anything"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_before_it_is_open_every_path_is_a_503(stack: ExitStack, method: str, path: str) -> None:
    place = Place(stack, opened=False)
    place.ask(path, method, b"{}" if method == "POST" else None).assert_problem(503)
    assert place.back_end.requests == []


@pytest.mark.parametrize("opened", [False, True])
def test_it_is_always_alive(stack: ExitStack, opened: bool) -> None:
    place = Place(stack, opened=opened)
    answer = place.ask("/healthz")
    assert (answer.status, answer.type, answer.document) == (200, "application/json", {"status": "alive"})
    assert answer.headers[HEADER] == IDENTITY
    head = place.ask("/healthz", "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_a_request_reaches_the_service_with_the_identity_of_the_run_alone(place: Place) -> None:
    answer = place.ask("/v1/decide", "POST", b"{}", **{HEADER: "other", "X-Request-Timeout-Seconds": "1"})
    assert (answer.status, answer.document) == (200, {"bytes": 2})
    assert HEADER not in answer.headers
    (request,) = place.back_end.requests
    assert {name.lower(): value for name, value in request["headers"].items()}[HEADER] == IDENTITY
    assert "x-request-timeout-seconds" not in {name.lower() for name in request["headers"]}


@pytest.mark.parametrize("identity", ["none", "other"])
@pytest.mark.parametrize(("status", "seen"), [(200, 503), (404, 503), (500, 503), (400, 400)])
def test_an_answer_of_somebody_else_is_not_passed_on(place: Place, identity: str, status: int, seen: int) -> None:
    place.ask(f"/v1/decide?status={status}&type=text/plain&identity={identity}").assert_problem(seen)


@pytest.mark.parametrize(("status", "seen"), [(400, 400), (404, 503), (408, 503), (429, 429), (500, 503)])
def test_what_serve_says_in_plain_text_becomes_a_problem(place: Place, status: int, seen: int) -> None:
    place.ask(f"/v1/decide?status={status}&type=text/plain").assert_problem(seen)


@pytest.mark.parametrize("status", [404, 422, 500, 503])
def test_a_problem_of_the_service_is_passed_on_as_it_is(place: Place, status: int) -> None:
    answer = place.ask(f"/v1/decide?status={status}&type=application/problem%2Bjson")
    assert (answer.status, answer.document) == (status, {"bytes": 0})


@pytest.mark.parametrize("path", ["/-/healthz", "/-/routes"])
def test_the_paths_of_serve_are_no_paths(place: Place, path: str) -> None:
    place.ask(path).assert_problem(404)


@pytest.mark.parametrize(
    "request_bytes",
    [b"nonsense\r\n\r\n", b"GET /a b HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"],
)
def test_what_is_no_http_is_a_problem(place: Place, request_bytes: bytes) -> None:
    head, _, body = exchange(place.address, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert PROBLEM.encode() in head
    assert json.loads(body)["status"] == 400


@pytest.mark.parametrize(
    "half", [b"POST /v1/decide HTTP/1.1\r\nHost:", b"POST /v1/decide HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_request_that_does_not_come_completely_is_a_408(stack: ExitStack, half: bytes) -> None:
    place = Place(stack, headers_within_s=1, body_within_s=1)
    head, _, body = exchange(place.address, half).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["status"] == 408
    assert place.back_end.requests == []


def test_what_is_no_http_is_a_problem_on_a_kept_connection_too(place: Place) -> None:
    with connect(place.address) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        first = connection.recv(65_536)
        while not first.endswith(b"}"):  # the head and the body of an answer may arrive apart
            first += connection.recv(65_536)
        assert first.startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))  # the ingress closes the connection
    head, _, body = answer.partition(b"\r\n\r\n")
    assert PROBLEM.encode() in head
    assert json.loads(body)["status"] == 400


def test_half_sent_bodies_take_no_place(place: Place, stack: ExitStack) -> None:
    half = b"POST /v1/decide HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{" + b" " * 4_000
    for _ in range(700):
        stack.enter_context(connect(place.address)).sendall(half)
    for path in ("/healthz", "/readyz", "/v1/decide"):
        assert place.ask(path).status == 200
    assert place.ask("/v1/decide", "POST", b"{}").document == {"bytes": 2}
    assert all(request["bytes"] <= 2 for request in place.back_end.requests)


def test_half_sent_large_bodies_leave_places_for_others(place: Place, stack: ExitStack) -> None:
    half = b"POST /v1/decide/batch HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n{" + b" " * 450_000
    for _ in range(100):
        stack.enter_context(connect(place.address)).sendall(half)
    assert place.ask("/readyz").status == 200
    assert place.ask("/v1/decide", "POST", b"{}").document == {"bytes": 2}


@pytest.mark.parametrize("size", [0, 1, 57_000, 58_000, 70_000, 8 << 20])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_any_size_arrives_whole(place: Place, size: int, chunked: bool) -> None:
    body = b"x" * size
    with closing(http.client.HTTPConnection(*place.address, timeout=30)) as connection:
        connection.request("POST", "/v1/events", iter([body]) if chunked else body, encode_chunked=chunked)
        assert Seen(connection.getresponse()).document == {"bytes": size}


def test_a_caller_who_waits_for_100_continue_gets_it(place: Place) -> None:
    with connect(place.address) as connection:
        connection.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_without_a_service_behind_it_answers_503(place: Place) -> None:
    place.back_end.shutdown()
    place.back_end.server_close()
    (place.directory / "serve").unlink()
    place.ask("/v1/decide").assert_problem(503)
    assert place.ask("/healthz").status == 200


def _await_other_pid(place: Place, pid: int | None) -> None:
    while place.ingress.pid == pid:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_haproxy_that_is_killed_or_frozen_is_replaced_and_no_caller_is_refused(
    place: Place, number: signal.Signals
) -> None:
    pid = place.ingress.pid
    assert pid is not None
    os.kill(pid, number)
    if number == signal.SIGKILL:
        assert place.ask("/v1/decide").status == 200, "it waits for the next one in the queue of the listening socket"
    _await_other_pid(place, pid)
    assert place.ask("/v1/decide").status == 200


def test_one_that_was_closed_stays_closed_after_a_kill(stack: ExitStack) -> None:
    place = Place(stack, opened=False)
    pid = place.ingress.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _await_other_pid(place, pid)
    place.ask("/v1/decide").assert_problem(503)


def test_a_stop_ends_haproxy(stack: ExitStack) -> None:
    with ExitStack() as inner:
        place = Place(inner)
        pid = place.ingress.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_is_no_haproxy_refuses_the_start(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("decision_service.runtime.ingress.process._READY_WITHIN_S", 0.5)
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="in-", dir="/tmp")))
    taken = stack.enter_context(take_address("127.0.0.1", 0))
    plan = IngressPlan(directory=directory, service_socket=directory / "serve", identity=IDENTITY, replicas=1)
    with (
        pytest.raises(StartRefused, match="the ingress"),
        Ingress(Path("/bin/false"), taken, plan, directory / "log", os.environ),
    ):
        pass
