"""The metrics of several processes: gauges of those alone that set them, and of those alone that live."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from decision_service.settings import METRICS_VARIABLE

_PROCESS = """
import sys
from decision_service import metrics
metrics.REPLAYS.inc()
if sys.argv[1] != "learner":
    gauges = metrics.replica_gauges()
    gauges.model_version.set(int(sys.argv[1]))
    gauges.state_trusted.set(1)
    gauges.clock_lead.set(int(sys.argv[1]))
print("set", flush=True)
if sys.stdin.read() == "expose":
    print(metrics.exposition(sys.argv[2]).decode())
"""


@contextmanager
def run(directory: Path, version: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _PROCESS, version, str(directory)],
        env=os.environ | {METRICS_VARIABLE: str(directory)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "set\n"
        yield process
        process.kill()


def expose(directory: Path) -> dict[str, float]:
    """Read the metrics as another process of the service does."""
    with run(directory, "learner") as process:
        text, _ = process.communicate("expose")
    lines = (line for line in text.splitlines() if line and not line.startswith("#") and "{" not in line)
    return {line.split()[0].removeprefix("decision_service_"): float(line.split()[1]) for line in lines}


def test_gauges_are_those_of_living_processes_that_set_them_and_counters_of_all(tmp_path: Path) -> None:
    assert "state_trusted" not in expose(tmp_path)
    with run(tmp_path, "7"):
        with run(tmp_path, "3") as replaced:
            known = expose(tmp_path)
            assert (known["model_version"], known["state_trusted"], known["clock_lead_seconds"]) == (3, 1, 7)
            replaced.kill()
            known = expose(tmp_path)  # nobody has waited for the killed process yet: it is a zombie
            assert (known["model_version"], known["state_trusted"], known["clock_lead_seconds"]) == (7, 1, 7)
        assert known["replays_total"] == 5, "of the replicas, and of those that were asked for metrics"


def test_what_other_programs_measure_in_the_same_directory_is_not_shown(tmp_path: Path) -> None:
    command = "from prometheus_client import Counter; Counter('autoscaler_started_nodes', '…').inc()"
    subprocess.run([sys.executable, "-c", command], env=os.environ | {METRICS_VARIABLE: str(tmp_path)}, check=True)
    assert not any("autoscaler" in name for name in expose(tmp_path))
