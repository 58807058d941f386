"""A back end behind the ingress: an HTTP server on a Unix socket that answers as the path says."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from decision_service.runtime.ingress.identity import HEADER

IDENTITY = "00c0ffee"


class BackEnd(ThreadingMixIn, UnixStreamServer):
    """Answers ``/any?status=404&type=text/plain&identity=other&sleep=2``, and keeps the requests that it has seen."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1_024

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.requests: list[dict[str, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a caller may leave at any moment."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        server = cast(BackEnd, self.server)
        body = self._read_body()
        server.requests.append({"path": self.path, "headers": dict(self.headers), "bytes": len(body)})
        wish = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        time.sleep(float(wish.get("sleep", 0)))
        content = json.dumps({"bytes": len(body)}).encode()
        self.send_response(int(wish.get("status", 200)))
        self.send_header("Content-Type", wish.get("type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        if (identity := wish.get("identity", IDENTITY)) != "none":
            self.send_header(HEADER, identity)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def address_string(self) -> str:
        return "unix"  # the address of a Unix socket has no host

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""


def connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=30)


def exchange(address: tuple[str, int], request: bytes) -> bytes:
    """Send raw bytes, and return everything that comes back until the connection closes."""
    with connect(address) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))
