"""Light traffic during a fault: every answer is kept, and judged by the rule for answers."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

PROBLEM = "application/problem+json"
_PATHS = ("/v1/decide", "/healthz", "/v1/decide", "/readyz", "/v1/catalog", "/v1/shoppers/s-1/preferences")
_JSON = ("application/json", PROBLEM)
_REFUSED = "ConnectionRefusedError"
_GIVES_UP_AFTER_S = 60.0
_ALIVE_WITHIN_S = 1.0
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Answer:
    """The answer to one request; ``status`` is 0 when there was none, and ``error`` says why."""

    path: str
    began: float
    ended: float
    status: int
    media_type: str = ""
    retry_after: str | None = None
    error: str = ""

    @property
    def is_normal(self) -> bool:
        """Whether the caller got what was asked for."""
        return 200 <= self.status < 300


class Traffic:
    """Several callers, each with a new connection per request, as a health check or a simple script would have."""

    def __init__(self, url: str, *, callers: int = 4, paths: Sequence[str] = _PATHS) -> None:
        self._host, self._port = str(urlsplit(url).hostname), int(urlsplit(url).port or 80)
        self._callers, self._paths = callers, paths
        self._stop = threading.Event()
        self._number = itertools.count()
        self._name = f"t{time.time_ns()}"
        self.answers: list[Answer] = []

    def __enter__(self) -> Traffic:
        self._threads = [threading.Thread(target=self._call, args=(n,), daemon=True) for n in range(self._callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_GIVES_UP_AFTER_S)

    def wait_for_normal(self, since: float, path: str = "/v1/decide", within_s: float = 180.0) -> bool:
        """Wait for a normal answer to a request that began after a moment; return whether one came."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if any(one.is_normal and one.path == path and one.began >= since for one in list(self.answers)):
                return True
            time.sleep(0.05)
        return False

    def _call(self, first: int) -> None:
        for path in itertools.islice(itertools.cycle(self._paths), first, None):
            if self._stop.is_set():
                return
            self.answers.append(self.ask(path))
            self._stop.wait(_PAUSE_S)

    def ask(self, path: str) -> Answer:
        """Send one request on a new connection."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_GIVES_UP_AFTER_S)
        began = time.monotonic()
        try:
            if path == "/v1/decide":
                connection.request("POST", path, self._decide_body(), {"Content-Type": "application/json"})
            else:
                connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            media = response.headers.get_content_type()
            return Answer(path, began, time.monotonic(), response.status, media, response.headers["Retry-After"])
        except (OSError, http.client.HTTPException) as error:
            return Answer(path, began, time.monotonic(), 0, error=type(error).__name__)
        finally:
            connection.close()

    def _decide_body(self) -> bytes:
        number = next(self._number)
        trigger = {"type": "cart_abandoned", "attributes": {"product": "Runner 3", "price": 59.9}}
        body = {"event_id": f"{self._name}-{number}", "shopper_id": f"s-{number % 1_000}", "triggers": [trigger]}
        return json.dumps(body).encode()


@contextmanager
def send_traffic(url: str, *, callers: int = 4) -> Iterator[Traffic]:
    """Send traffic inside the context."""
    with Traffic(url, callers=callers) as traffic:
        yield traffic


def find_broken(answers: Iterable[Answer], *, cut_is_allowed: bool = False) -> tuple[str, ...]:
    """Return which answers break the rule of a start and of a restart, by path, each with its count.

    The rule: ``/healthz`` is 200 within a second, and everything else is an answer of the service or a 503 with
    ``Retry-After`` and a problem document. ``cut_is_allowed``: a request under way when a process was killed may end
    without an answer.
    """
    counts: Counter[str] = Counter()
    for answer in answers:
        if (fault := _judge(answer, cut_is_allowed)) is not None:
            counts[f"{answer.path} {fault}"] += 1
    return tuple(f"{fault} ({count} times)" for fault, count in counts.most_common())


def drop_early_refusals(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers without the connections that were refused before the first one was accepted."""
    accepted = min((answer.ended for answer in answers if answer.error != _REFUSED), default=float("inf"))
    return [answer for answer in answers if answer.error != _REFUSED or answer.began > accepted]


def _judge(answer: Answer, cut_is_allowed: bool) -> str | None:
    if answer.status == 0:
        cut = answer.error in ("RemoteDisconnected", "ConnectionResetError")
        return None if cut and cut_is_allowed else f"without an answer: {answer.error}"
    if answer.path == "/healthz":
        late = answer.ended - answer.began > _ALIVE_WITHIN_S
        return f"{answer.status}" if answer.status != 200 else "after a second" if late else None
    if answer.media_type not in _JSON:
        return f"{answer.status} as {answer.media_type}"
    if answer.status == 503 and (answer.media_type != PROBLEM or answer.retry_after is None):
        return "503 without Retry-After or problem document"
    return None if answer.status < 500 or answer.status == 503 else f"{answer.status}"


def measure_outage(answers: Iterable[Answer], path: str = "/v1/decide", begin: float | None = None) -> float:
    """Return the longest time without a normal answer on a path, in seconds."""
    ends = sorted(answer.ended for answer in answers if answer.path == path and answer.is_normal)
    moments = [end for end in ends if begin is None or end >= begin]
    if begin is not None:
        moments = [begin, *moments]
    return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)
