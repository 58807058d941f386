"""The runs of a comparison: done on all cores, each kept as soon as it has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from benchmarks.learning.plan import require_plan
from decision_service.catalogues.file import example
from decision_service.cli.own_policy import make_source
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import POLICIES
from simulators.experiments.contender import RULE
from simulators.regret.finished_run import FinishedRun
from simulators.regret.run_store import RunStore, Task, estimate_s
from simulators.regret.setup import Setup
from simulators.scenarios.scenario import SCENARIOS, Scenario
from simulators.shops.planner import PLANNER

NO_SEND = "no_send"
REFERENCES = (RULE, PLANNER, NO_SEND)
"""The contenders that every comparison needs."""

Runs = Mapping[Task, FinishedRun]


@dataclass(frozen=True)
class Field:
    """Where contenders meet: scenarios, seeds, and how many shoppers."""

    scenarios: Sequence[Scenario]
    seeds: Sequence[int]
    shoppers: int

    @property
    def is_family(self) -> bool:
        """Whether the scenarios are worlds of the family, two or more."""
        return len(self.scenarios) > 1 and not any(scenario.name in SCENARIOS for scenario in self.scenarios)

    def jobs(self, contenders: Sequence[str]) -> Iterator[Job]:
        """Yield all runs of contenders, and of those that every comparison needs."""
        for scenario in self.scenarios:
            for seed in self.seeds:
                for contender in dict.fromkeys([*REFERENCES, *contenders]):
                    yield Job(scenario, self.task(scenario, seed, contender))

    def task(self, scenario: Scenario, seed: int, contender: str) -> Task:
        return Task(scenario.name, scenario.weeks, self.shoppers, seed, contender)


@dataclass(frozen=True)
class Job:
    """A run with all that a process needs to do it."""

    scenario: Scenario
    task: Task

    def play(self) -> FinishedRun:
        """Do the run, in this process."""
        rulebook, contender = Rulebook.of(example(), 1), self.task.contender
        plan, clock = require_plan(self.scenario), time.process_time
        setup = Setup(self.scenario, self.task.shoppers, self.task.seed, rulebook, plan, clock)
        if contender == NO_SEND:
            return setup.run_without_sends()
        if contender == PLANNER:
            return setup.run_planner()
        return setup.run_policy(lambda: make_source(POLICIES[contender], rulebook))


def finish_all(jobs: Sequence[Job], store: RunStore, workers: int | None, progress: Callable[[str], None]) -> Runs:
    """Do the runs that the store does not have, and return all of them.

    Raises
    ------
    typer.BadParameter
        When no plan is stored for a scenario.
    """
    for scenario in {job.scenario.name: job.scenario for job in jobs}.values():
        require_plan(scenario)
    missing = {*store.missing(job.task for job in jobs)}
    processes = min(workers or _count_cores(), max(1, len(missing)))
    left = _describe_s(estimate_s(missing, store.paces()), processes)
    progress(f"{len(missing)} of {len(jobs)} runs to do, {processes} at a time: {left}")
    if missing:
        _finish([job for job in jobs if job.task in missing], store, processes, progress)
    runs = ((job.task, store.read(job.task)) for job in jobs)
    return {task: run for task, run in runs if run is not None}


def _finish(jobs: Sequence[Job], store: RunStore, processes: int, progress: Callable[[str], None]) -> None:
    left, paces = {job.task for job in jobs}, dict(store.paces())
    with ProcessPoolExecutor(processes) as pool:
        futures: dict[Future[float], Task] = {pool.submit(_finish_one, job, store): job.task for job in jobs}
        try:
            for future in as_completed(futures):
                seconds, task = future.result(), futures[future]
                left.remove(task)
                paces[task.contender] = seconds / task.shopper_weeks
                time_left = _describe_s(estimate_s(left, paces), processes)
                name = f"{task.scenario}, seed {task.seed}, {task.contender}: {seconds:.1f} s"
                progress(f"{len(jobs) - len(left)} of {len(jobs)}: {name}; left: {time_left}")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _finish_one(job: Job, store: RunStore) -> float:
    """Do a run and keep it; return its seconds."""
    return store.finish(job.task, lambda _: job.play()).cpu_s


def _count_cores() -> int:
    return len(os.sched_getaffinity(0))


def _describe_s(seconds: float | None, processes: int) -> str:
    """Return how long some work takes in so many processes, in words.

    >>> _describe_s(7_200.0, 2), _describe_s(30.0, 1), _describe_s(None, 1)
    ('60 minutes on free cores', '1 minute on free cores', 'the time is known when the first run has ended')
    """
    if seconds is None:
        return "the time is known when the first run has ended"
    minutes = -(-seconds // (60 * processes))
    return f"{minutes:.0f} minute{'s' * (minutes != 1)} on free cores"
