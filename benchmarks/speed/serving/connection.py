"""One HTTP connection that sends bytes which were made before, and reads one answer at a time."""

from __future__ import annotations

import socket
from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_OK = b"HTTP/1.1 200"
_PART = 262_144


@dataclass(frozen=True)
class Answer:
    """One answer: whether its status was 200, its decisions, and how many of them send."""

    is_ok: bool
    decisions: int
    sends: int


class Connection:
    """A connection with at most one request under way.

    A request that the service does not answer, because it closes the connection, counts as an answer that is an error.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self.due_at = 0.0
        """When the request under way was due."""

        self._unsent = memoryview(b"")
        self._received = b""
        self._whole: int | None = None
        self.connect()

    def connect(self) -> None:
        """Connect to the service, again if it closed the connection."""
        self._socket = socket.create_connection(self._address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._socket.fileno()

    def send(self, request: bytes, due_at: float) -> bool:
        """Begin a request, and return whether all of it was sent."""
        self.due_at = due_at
        self._unsent = memoryview(request)
        return self.send_rest()

    def send_rest(self) -> bool:
        """Send the unsent rest of the request, and return whether nothing is unsent any more."""
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return False
        except ConnectionError:  # reading will find the same
            self._unsent = memoryview(b"")
        return not self._unsent

    def receive(self) -> Answer | None:
        """Read what has arrived, and return the answer once it is complete."""
        try:
            part = self._socket.recv(_PART)
        except ConnectionError:
            part = b""
        if not part:
            self._received, self._whole = b"", None
            return Answer(is_ok=False, decisions=0, sends=0)
        self._received = self._received + part if self._received else part
        if self._whole is None:
            self._whole = measure(self._received)
        if self._whole is None or len(self._received) < self._whole:
            return None
        answer = read(self._received)
        self._received, self._whole = b"", None
        return answer


def measure(received: bytes) -> int | None:
    r"""Return the length of an answer whose beginning has arrived, or None while that cannot be known.

    Examples
    --------
    >>> measure(b"HTTP/1.1 200 OK\r\ncontent-le") is None
    True
    >>> measure(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12")
    43
    >>> measure(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n\r\n")
    59
    """
    head_end = received.find(_HEAD_END)
    if head_end < 0:
        return None
    head = received[: head_end + 2].lower()
    begin = head.find(_LENGTH)
    if begin >= 0:
        return head_end + 4 + int(head[begin + len(_LENGTH) : head.index(b"\r", begin)])
    return len(received) if received.endswith(b"0\r\n\r\n") else None


def read(answer: bytes) -> Answer:
    r"""Return what a complete answer says.

    Examples
    --------
    >>> read(b'HTTP/1.1 200 OK\r\n\r\n{"results":[{"decision":"send"},{"decision":"hold"}]}')
    Answer(is_ok=True, decisions=2, sends=1)
    >>> read(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    Answer(is_ok=False, decisions=0, sends=0)
    """
    return Answer(answer.startswith(_OK), answer.count(b'"decision":'), answer.count(b'"decision":"send"'))
