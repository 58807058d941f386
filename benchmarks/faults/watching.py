"""What an operator sees of a service under a fault: its gauges, its readiness, and its service log."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.service import FaultyService
from decision_service.runtime.data_directory import DataDirectory

WITHIN_S = 5.0
"""How soon a warning must stand in the service log."""

_PREFIX = "decision_service_"
_ASKS = 6
_LOOK_EVERY_S = 0.1
_ANSWERS_WITHIN_S = 10.0


@dataclass
class Operator:
    """Looks at a service, and remembers what was not as it must be.

    Parameters
    ----------
    service
        The service, which is ready.
    data_dir
        Its data directory.
    """

    service: FaultyService
    data_dir: Path
    broken: list[str] = field(default_factory=list)

    @property
    def replicas(self) -> list[int]:
        """Process ids of the replicas."""
        return [process.pid for process in self.service.find("ServeReplica:decision-service:replica")]

    def read_gauges(self) -> dict[str, float]:
        """Return the lowest value of each gauge, asked several times, each time on a new connection."""
        lowest: dict[str, float] = {}
        for _ in range(_ASKS):
            for line in self._get("/metrics")[1].splitlines():
                name, _, value = line.partition(" ")
                if name.startswith(_PREFIX) and "{" not in name:
                    gauge = name.removeprefix(_PREFIX)
                    lowest[gauge] = min(float(value), lowest.get(gauge, float("inf")))
        return lowest

    def expect_gauge(self, name: str, value: float, within_s: float) -> None:
        """Wait until every replica shows a value."""
        if not _wait(lambda: self.read_gauges().get(name) == value, within_s):
            self.broken.append(f"the gauge {name} is {self.read_gauges().get(name)} and not {value}")

    def expect_ready(self, *, ready: bool, within_s: float = 0.0) -> None:
        """Wait until the service says that it is ready, or is not."""
        wanted = 200 if ready else 503
        if not _wait(lambda: self._get("/readyz")[0] == wanted, within_s):
            self.broken.append(f"/readyz answers {self._get('/readyz')[0]} and not {wanted}")

    def expect_warning(self, *parts: str) -> None:
        """Wait until a line of the service log has all these parts."""
        if not _wait(lambda: self._has_line(parts), WITHIN_S):
            self.broken.append(f"no line with {' … '.join(parts)} in the service log after {WITHIN_S:.0f} s")

    def expect_log_to_survive(self) -> None:
        """Kill every process at once, and compare the service log with what it was."""
        before = self._log()
        for process in self.service.find(""):
            process.kill()
        self.service.process.kill()
        self.service.process.wait()
        if not self._log().startswith(before):
            self.broken.append("lines of the service log were lost by the kill")

    def _has_line(self, parts: tuple[str, ...]) -> bool:
        return any(all(part in line for part in parts) for line in self._log().splitlines())

    def _log(self) -> str:
        return DataDirectory(self.data_dir).service_log.read_text(errors="replace")

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.service.run().url + path, timeout=_ANSWERS_WITHIN_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""


def _wait(is_true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := is_true()) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    return done
