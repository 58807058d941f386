"""Ports: the HTTP port as it is, and an internal port that is free."""

from __future__ import annotations

import socket

from decision_service.runtime.ports import choose

HTTP = 40_000


def test_the_http_port_is_as_given_and_the_other_differs() -> None:
    ports = choose(HTTP)
    assert ports.http == HTTP
    assert ports.fallback != HTTP


def test_the_internal_port_avoids_a_taken_one() -> None:
    first = choose(HTTP)
    with socket.create_server(("127.0.0.1", first.fallback)):
        assert choose(HTTP).fallback != first.fallback


def test_services_on_neighbouring_ports_share_none() -> None:
    assert len({choose(HTTP + offset).fallback for offset in range(3)}) == 3
