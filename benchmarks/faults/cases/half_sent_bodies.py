"""Clients send half of a body and wait."""

from __future__ import annotations

import re
import socket
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from tests.reference.traffic import find_broken, measure_outage, send_traffic

_CLIENTS, _WHILE_S = 600, 8.0
_SIZES = (900, 300_000)
"""A small body, and one that fits into no buffer."""


def repeat(directory: Path) -> Outcome:
    """Open many connections with half a body each, send traffic beside them, and close them in mid-body."""
    with run_faulty(directory / "data") as service:
        url = service.wait_until_ready()
        with ExitStack() as stack, send_traffic(url) as traffic:
            began = time.monotonic()
            for number in range(_CLIENTS):
                stack.enter_context(_send_half(url, _SIZES[number % len(_SIZES)]))
            time.sleep(_WHILE_S)
        failed = [answer for answer in traffic.answers if not answer.is_normal]
        errors = _count_errors(url)
    broken = [*find_broken(traffic.answers)]
    if failed:
        broken.append(f"{len(failed)} of {len(traffic.answers)} requests failed")
    if errors:
        broken.append(f"clients that left count as {errors:.0f} errors 500")
    return Outcome(tuple(broken), measure_outage(traffic.answers, begin=began))


def _send_half(url: str, size: int) -> socket.socket:
    address = urlsplit(url)
    connection = socket.create_connection((str(address.hostname), int(address.port or 80)), timeout=30)
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    connection.sendall(head.encode() + b" " * (size // 2))
    return connection


def _count_errors(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(r'decision_service_problems_total{status="500"} (\S+)', text))


FAULT = Fault(
    number=27,
    name="half_sent_bodies",
    action="600 clients send half a body (450 bytes or 150 kB), stay for 8 s, and leave in mid-body",
    rule="every other request gets its normal answer, probes too; nobody who left counts as an error 500",
    repeat=repeat,
)
