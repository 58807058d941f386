"""The registry of models is scrambled while the service is stopped."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.service import run_faulty
from tests.reference.traffic import Traffic


def repeat(directory: Path) -> Outcome:
    """Start on a registry whose first pages are destroyed, and ask for a decision."""
    data_dir = directory / "data"
    with run_faulty(data_dir) as service:
        service.wait_until_ready()
    with (data_dir / "models.sqlite").open("r+b") as registry:
        registry.write(os.urandom(4 * 4096))
    with run_faulty(data_dir) as service:
        answer = Traffic(service.wait_until_ready()).ask("/v1/decide")
        said = "The registry of models is damaged" in service.output
    broken = () if answer.is_normal and said else (f"answered {answer.status}, said: {said}",)
    return Outcome(broken, 0.0)


FAULT = Fault(
    number=26,
    name="scrambled_registry",
    action="the first pages of models.sqlite are destroyed, and the service starts again",
    rule="the service starts, says that the models are learned again from the log, and decides",
    repeat=repeat,
)
