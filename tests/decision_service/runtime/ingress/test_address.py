"""The public address: as asked or a refusal that says why, taken at once, and proven to be ours."""

from __future__ import annotations

import http.client
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from decision_service.runtime.errors import StartRefused
from decision_service.runtime.ingress.address import UnixConnection, find_identity, prove, take_address
from decision_service.runtime.ingress.identity import HEADER
from tests.decision_service.runtime.ingress.back_end import IDENTITY, BackEnd

HOST = "127.0.0.1"


@pytest.fixture
def other() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        yield server


@pytest.mark.parametrize("host", [HOST, "127.0.0.2", "127.3.2.1"])
def test_any_loopback_address_can_be_taken_once(host: str) -> None:
    with take_address(host, 0) as taken:
        address, port = taken.getsockname()
        assert address == host
        with pytest.raises(StartRefused, match="is taken"):
            take_address(host, port)
        taken.listen()
        with socket.create_connection((host, port)), pytest.raises(StartRefused, match="is taken"):
            take_address(host, port)


def test_a_port_is_free_again_after_its_service(other: socket.socket) -> None:
    host, port = other.getsockname()
    with socket.create_connection((host, port)):
        other.accept()[0].close()  # this end of the connection stays for a minute
        other.close()
    take_address(host, port).close()


def test_a_taken_port_is_refused_with_its_user(other: socket.socket) -> None:
    port = other.getsockname()[1]
    with pytest.raises(StartRefused, match=rf"--port: {HOST}:{port} is taken by .*process {os.getpid()}"):
        take_address(HOST, port)


def test_a_port_taken_on_every_address_is_refused() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(StartRefused, match=r"--port: .* is taken"):
        take_address("127.0.0.2", server.getsockname()[1])


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StartRefused, match=r"--host: 192\.0\.2\.1 is no address of this machine"):
        take_address("192.0.2.1", 0)


@pytest.fixture
def back_end() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="in-", dir="/tmp") as directory:
        path = Path(directory) / "serve"
        with BackEnd(path) as server:
            yield path
            server.shutdown()


def test_the_identity_of_a_socket_is_what_answers_there(back_end: Path) -> None:
    assert find_identity(UnixConnection(str(back_end))) == IDENTITY
    assert find_identity(UnixConnection(str(back_end.with_name("none")))) is None


class Stranger(BaseHTTPRequestHandler):
    """Another service: alive, and with an identity of its own if it has one."""

    identity: str | None = "another"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.identity is not None:
            self.send_header(HEADER, self.identity)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


class Unknown(Stranger):
    """Another program: alive, without any identity."""

    identity = None


@pytest.mark.parametrize(("stranger", "who"), [(Stranger, "another service answers"), (Unknown, "nobody answers")])
def test_a_stranger_at_the_address_is_no_proof(stranger: type[Stranger], who: str) -> None:
    with HTTPServer((HOST, 0), stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(StartRefused, match=f"--host: {who} at {HOST}"):
            prove(HOST, server.server_port, IDENTITY)
        server.shutdown()


def test_an_address_that_takes_no_connections_is_refused() -> None:
    # The broadcast address of the loopback network can be bound, and connected to by nobody.
    with take_address("127.255.255.255", 0) as taken:
        taken.listen()
        host, port = taken.getsockname()
        with pytest.raises(StartRefused, match="nobody answers"):
            prove(host, port, IDENTITY)


def test_a_program_that_speaks_no_http_has_no_identity(other: socket.socket) -> None:
    def answer() -> None:
        connection, _ = other.accept()
        with connection:
            connection.sendall(b"220 mail\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    host, port = other.getsockname()
    assert find_identity(http.client.HTTPConnection(host, port, timeout=5)) is None
