"""One command to a Redis on a Unix socket: for the process that runs the server, which needs no client library."""

from __future__ import annotations

import socket
from pathlib import Path

_WITHIN_S = 1.0


class CommandRefused(OSError):
    """Redis answered with an error; the message is its text, such as ``LOADING Redis is loading …``."""


def send_command(path: Path, command: str, within_s: float = _WITHIN_S) -> str:
    """Send a command without spaces in its words, and return the answer; empty where the server ends instead.

    Raises
    ------
    CommandRefused
        When the answer is an error.
    OSError
        When nobody answers in time.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(within_s)
        client.connect(str(path))
        client.sendall(command.encode() + b"\r\n")
        with client.makefile("rb") as answer:
            first = answer.readline().decode().rstrip()
            if first.startswith("-"):
                raise CommandRefused(first[1:])
            return answer.read(int(first[1:])).decode() if first.startswith("$") else first[1:]
