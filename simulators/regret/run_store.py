"""The store of finished runs: a directory with a small file for each, so that an interrupted benchmark continues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from simulators.regret.finished_run import FinishedRun


@dataclass(frozen=True, order=True)
class Task:
    """A run to do, or done: a contender in a scenario of so many weeks, with a seed and so many shoppers."""

    scenario: str
    weeks: int
    shoppers: int
    seed: int
    contender: str

    @property
    def file_name(self) -> str:
        return f"{self.scenario}-{self.weeks}-{self.shoppers}-{self.seed}-{self.contender}.json"

    @property
    def shopper_weeks(self) -> int:
        """The size of the run."""
        return self.shoppers * self.weeks


@dataclass(frozen=True)
class RunStore:
    """The finished runs of one version of the code, in ``directory / version``; other versions lie beside it."""

    directory: Path
    version: str

    def read(self, task: Task) -> FinishedRun | None:
        """Return a finished run, None if it is not finished."""
        path = self._path(task)
        return _read(path).run if path.exists() else None

    def keep(self, task: Task, run: FinishedRun) -> None:
        """Keep a finished run: the whole file, or none of it."""
        path = self._path(task)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(_Kept(task, run)))
        part.rename(path)

    def finish(self, task: Task, play: Callable[[Task], FinishedRun]) -> FinishedRun:
        """Return a run: the one that is kept, or a new one, which is then kept."""
        run = self.read(task)
        if run is None:
            run = play(task)
            self.keep(task, run)
        return run

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """Return the tasks that are not finished."""
        return [task for task in tasks if not self._path(task).exists()]

    def paces(self) -> Mapping[str, float]:
        """Return processor seconds per shopper-week by contender, from the finished runs of all versions.

        A file in the format of another version does not count.
        """
        kept = list[_Kept]()
        for path in self.directory.glob("*/*.json"):
            with suppress(msgspec.DecodeError):
                kept.append(_read(path))
        names = {one.task.contender for one in kept}
        return {name: _pace([one for one in kept if one.task.contender == name]) for name in names}

    def _path(self, task: Task) -> Path:
        return self.directory / self.version / task.file_name


class _Kept(msgspec.Struct, frozen=True):
    """A finished run with its task."""

    task: Task
    run: FinishedRun


def _read(path: Path) -> _Kept:
    return msgspec.json.decode(path.read_bytes(), type=_Kept)


def _pace(kept: list[_Kept]) -> float:
    return sum(one.run.cpu_s for one in kept) / sum(one.task.shopper_weeks for one in kept)


def estimate_s(tasks: Iterable[Task], paces: Mapping[str, float]) -> float | None:
    """Return the processor seconds of tasks; None where no run is finished.

    A contender without a finished run is taken to be as slow as the slowest one that has some.

    >>> task = Task("stationary", 12, 1_000, 1, "rule")
    >>> estimate_s([task], {"rule": 0.001}), estimate_s([task], {"planner": 0.002}), estimate_s([task], {})
    (12.0, 24.0, None)
    """
    if not paces:
        return None
    slowest = max(paces.values())
    return sum(task.shopper_weeks * paces.get(task.contender, slowest) for task in tasks)
