"""Ports: the HTTP port as asked or a refusal that says why, internal ones always free."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from decision_service.runtime.errors import StartRefused
from decision_service.runtime.ports import Ports, choose

HOST = "127.0.0.1"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        yield server


def _all(ports: Ports) -> set[int]:
    return {ports.http, ports.stats, ports.metrics, ports.fallback}


def test_the_http_port_is_as_asked_and_the_others_differ() -> None:
    free = choose(HOST, 0).http
    ports = choose(HOST, free)
    assert ports.http == free
    assert len(_all(ports)) == 4


def test_a_taken_http_port_is_refused_with_its_user(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(StartRefused, match=rf"--port: {HOST}:{port} is taken by .*process {os.getpid()}"):
        choose(HOST, port)


def test_a_port_taken_on_every_address_is_refused() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(StartRefused, match="is taken"):
        choose(HOST, server.getsockname()[1])


def test_internal_ports_avoid_taken_ones() -> None:
    first = choose(HOST, 0)
    with socket.create_server((HOST, first.stats)):
        second = choose(HOST, first.http)
    assert first.stats not in _all(second)
    assert second.http == first.http


def test_services_on_neighbouring_ports_share_none() -> None:
    base = choose(HOST, 0).http
    assert not _all(choose(HOST, base)) & {*_all(choose(HOST, base + 1)), *_all(choose(HOST, base + 2))}
