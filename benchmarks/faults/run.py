"""Find the faults, and repeat them one after the other."""

from __future__ import annotations

import importlib
import pkgutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from benchmarks.faults import cases
from benchmarks.faults.fault import Fault, Outcome, Repeated
from benchmarks.running_service import NotStarted


def find_faults() -> list[Fault]:
    """Return the fault of every module in `cases`, in the order of their numbers."""
    names = [f"{cases.__name__}.{module.name}" for module in pkgutil.iter_modules(cases.__path__)]
    modules = [importlib.import_module(name) for name in names]
    faults: list[Fault] = [module.FAULT for module in modules]
    return sorted(faults, key=lambda fault: (fault.number, fault.name))


def choose(faults: Sequence[Fault], names: Collection[str]) -> list[Fault]:
    """Return the faults with these names or numbers, or all of them if no name is given.

    >>> [fault.name for fault in choose(find_faults(), ["killed_haproxy"])]
    ['killed_haproxy']

    Raises
    ------
    ValueError
        When a name fits no fault.
    """
    unknown = set(names) - {word for fault in faults for word in (fault.name, str(fault.number))}
    if unknown:
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
    return [fault for fault in faults if not names or {fault.name, str(fault.number)} & set(names)]


def repeat(faults: Sequence[Fault], say: Callable[[str], None]) -> list[Repeated]:
    """Repeat the faults, each on a service of its own."""
    all_repeated = []
    for fault in faults:
        say(f"{fault.number} {fault.name}: {fault.action} …")
        with tempfile.TemporaryDirectory(prefix="faults-") as directory:
            all_repeated.append(Repeated(fault, _repeat(fault, Path(directory))))
    return all_repeated


def _repeat(fault: Fault, directory: Path) -> Outcome:
    try:
        return fault.repeat(directory)
    except NotStarted as error:
        reasons = [line for line in str(error).splitlines() if line.startswith("decision-service:")]
        return Outcome((" ".join(["no start:", *reasons]),), 0.0)
