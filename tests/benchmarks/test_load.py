"""The load generator and the commands that measure speed: run as a user runs them, on a small server of this test."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STALL_S = 0.5


class _Service(BaseHTTPRequestHandler):
    """Answers every decide with a send, ``/noop`` with nothing, ``/away`` with 503; ``/stall`` stalls once."""

    protocol_version = "HTTP/1.1"
    bodies: list[Any]
    stalls: list[float]

    def do_GET(self) -> None:
        if self.path == "/stall" and self.stalls:
            time.sleep(self.stalls.pop())
        self._answer(503 if self.path == "/away" else 200, {"status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        results = [{"event_id": decide["event_id"], "decision": "send"} for decide in body.get("decisions", [body])]
        self._answer(200, {"results": results})

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def _answer(self, status: int, body: Any) -> None:
        text = json.dumps(body, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("_FreshService", (_Service,), {"bodies": [], "stalls": [STALL_S]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def send_load(server: ThreadingHTTPServer, **plan: Any) -> dict[str, Any]:
    host, port = server.server_address[:2]
    line = json.dumps({"host": str(host), "port": port, "seconds": 0.2, "connections": 2, **plan})
    command = [sys.executable, "-m", "benchmarks.speed.serving.generator"]
    done = subprocess.run(command, input=f"{line}\nbegin\n", cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ready, result = done.stdout.splitlines()
    assert ready == "ready"
    loaded: dict[str, Any] = json.loads(result)
    return loaded


def test_a_closed_loop_keeps_every_connection_busy_and_none_twice(server: ThreadingHTTPServer) -> None:
    load = send_load(server, path="/noop")
    assert load["requests"] == len(load["latencies_us"]) > 2
    assert load["errors"] == load["decisions"] == 0
    # By Little's law at most 1: the intervals of one connection do not overlap.
    assert 0 < sum(load["latencies_us"]) / 1e6 / load["seconds"] / 2 <= 1.0


def test_batches_have_random_ids_and_are_counted_by_decision(server: ThreadingHTTPServer) -> None:
    stream = {"shoppers": 50, "batch": 7, "seed": 3, "begin": 1_795_280_400.0, "step_s": 60.0}
    load = send_load(server, path="/v1/decide/batch", stream=stream)
    decides = [decide for body in server.RequestHandlerClass.bodies for decide in body["decisions"]]  # type: ignore[attr-defined]
    assert load["decisions"] == load["sends"] == len(decides) == 7 * load["requests"]
    assert len({decide["event_id"] for decide in decides}) == len(decides)
    assert len({decide["now"] for decide in decides}) == len(decides)


def test_errors_are_counted_and_do_not_end_the_load(server: ThreadingHTTPServer) -> None:
    load = send_load(server, path="/away")
    assert load["errors"] == load["requests"] > 2


def test_an_open_loop_counts_latency_from_the_due_time(server: ThreadingHTTPServer) -> None:
    """A stall is felt by every request that was due meanwhile, although only one was on its way."""
    load = send_load(server, path="/stall", connections=1, rate=100.0, seed=1)
    late = [latency for latency in load["latencies_us"] if latency > (STALL_S - 0.2) * 1e6]
    assert len(late) == load["requests"] > 10


def test_an_unknown_factor_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "benchmarks", "decide", "--factor", "241"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such factor: 241" in " ".join(done.stderr.split())
