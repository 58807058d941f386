"""The TCP ports of a service: the HTTP port, and a free internal port."""

from __future__ import annotations

import socket

import msgspec

from decision_service.runtime.errors import StartRefused

# Below the ephemeral ports (32768 and up), which the system and Ray take at any moment, and below the ports of
# Serve's replicas (30000 and up). So a port that is free when it is chosen is still free when it is bound.
_INTERNAL = range(20_000, 30_000)


class Ports(msgspec.Struct, frozen=True):
    """The ports of one service.

    Attributes
    ----------
    http
        The port of the public address; this service listens there already.
    fallback
        The port of Serve's own proxy, which answers while no replica does.
    """

    http: int
    fallback: int


def choose(http: int) -> Ports:
    """Return the HTTP port, and a free port for Serve's own proxy.

    Raises
    ------
    StartRefused
        When no port is free.
    """
    start = 3 * http % len(_INTERNAL)  # services on neighbouring HTTP ports get different ports
    for offset in range(len(_INTERNAL)):
        port = _INTERNAL[(start + offset) % len(_INTERNAL)]
        if port != http and _is_free(port):
            return Ports(http, port)
    raise StartRefused(f"ports: none is free between {_INTERNAL.start} and {_INTERNAL.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
