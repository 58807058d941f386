"""The services that are measured: started as a user starts them, on new data, with a catalogue of a certain size."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.running_service import RunningService, run_command
from benchmarks.speed import busy_shop
from benchmarks.speed.serving.plan import Stream

_WEEK_S = 7 * 86_400.0
_DECIDE, _BATCH = "/v1/decide", "/v1/decide/batch"


@dataclass(frozen=True)
class Setup:
    """What is started.

    Attributes
    ----------
    messages, channels
        The size of the catalogue; each has five delays.
    replicas
        The number of replicas.
    proxy
        ``ingress`` for the service's own one, ``serve`` for the default proxy of Ray Serve.
    checkout
        Another checkout of the project, with a virtual environment of its own; None for this one.
    """

    messages: int = 4
    channels: int = 3
    replicas: int = 1
    proxy: str = "ingress"
    checkout: Path | None = None

    @property
    def actions(self) -> int:
        """The number of joint actions."""
        return self.messages * self.channels * 5


@dataclass
class Target:
    """A service that is ready, the time of its next decide, and how many streams and decisions there were.

    The service has the request clock. Time passes with the decides, and each shopper is asked about once a week:
    so the number of sends that the service knows of a shopper stays the same however long a benchmark runs, and
    attribution windows close all the time, which gives the learner its full work.
    """

    service: RunningService
    data_dir: Path
    now: float = busy_shop.NOW
    streams: int = 0
    decisions: int = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.service.url)
        return str(parts.hostname), int(parts.port or 80)

    def make_stream(self, shoppers: int, batch: int) -> Stream:
        """Return a stream of decides with event ids that no other stream has, from the present time on."""
        self.streams += 1
        return Stream(
            shoppers=shoppers, batch=batch, seed=self.streams, begin=self.now, step_s=_WEEK_S / max(shoppers, 1)
        )

    def advance(self, stream: Stream, decisions: int) -> None:
        """Go to the time after so many decides of a stream."""
        self.decisions += decisions
        self.now = max(self.now, stream.begin + decisions * stream.step_s)


def decide_path(batch: int) -> str:
    """Return the path of single decides, or of batches.

    >>> decide_path(0), decide_path(100)
    ('/v1/decide', '/v1/decide/batch')
    """
    return _BATCH if batch else _DECIDE


@contextmanager
def start(setup: Setup, directory: Path, seed: int) -> Iterator[Target]:
    """Start a service with its data in a directory, yield it, and stop it."""
    directory.mkdir(parents=True)
    catalogue = directory / "catalogue.yaml"
    catalogue.write_text(json.dumps(make_catalogue(setup.messages, setup.channels)), encoding="utf-8")
    options = {
        "port": 0,
        "data_dir": directory / "data",
        "replicas": setup.replicas,
        "catalog": catalogue,
        "clock": "request",
        "seed": seed,
    }
    with run_command(make_command(setup, options), setup.checkout) as service:
        yield Target(service, directory / "data")


def make_command(setup: Setup, options: dict[str, Any]) -> list[str]:
    """Return the command that starts a service.

    >>> make_command(Setup(checkout=Path("/old")), {"data_dir": "/data"})[1:]
    ['-m', 'decision_service', 'serve', '--data-dir', '/data']
    >>> make_command(Setup(), {"data_dir": "/data"})[1:]
    ['-m', 'benchmarks.speed.serving.start', 'ingress', 'data_dir=/data']
    """
    if setup.checkout is None:
        start_script = [sys.executable, "-m", "benchmarks.speed.serving.start", setup.proxy]
        return [*start_script, *(f"{name}={value}" for name, value in options.items())]
    typed = (word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value)))
    return [str(setup.checkout / ".venv" / "bin" / "python"), "-m", "decision_service", "serve", *typed]


def make_catalogue(messages: int, channels: int) -> dict[str, Any]:
    """Return the catalogue of `busy_shop` with every rule, with sends that cost next to nothing.

    No budget is spent, and HOLD is never better than a send. So every decision of a long run does the same work,
    although nobody clicks.
    """
    document = busy_shop.document(messages, channels)
    for channel in document["channels"].values():
        channel |= {"cost": 0.0001, "daily_budget": 1_000_000}
    return document | {"reward": {"consent_value": 0.0}}
