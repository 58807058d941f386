"""Measure decide over HTTP beside routes that do nothing, factor by factor, and beside an older version."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.running_service import NotStarted
from benchmarks.speed.decide_many import GroupRounds
from benchmarks.speed.serving import results as named_results
from benchmarks.speed.serving.points import Say, Series
from benchmarks.speed.serving.processes import ProcessDied
from benchmarks.speed.serving.scenes import (
    FACTORS,
    KNOWN_MILLION,
    Scene,
    Size,
    measure_against,
    measure_base,
    measure_scene,
)
from benchmarks.speed.serving.table import to_table
from benchmarks.speed.serving.window import LoadFailed
from decision_service.cli.measurements import Measured

FAILURES = (LoadFailed, NotStarted, ProcessDied)
"""What ends the measurement of one service."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    size
        How much is measured.
    scenes
        The scenes that differ from the base point in one factor.
    against
        A checkout of an older version, with a virtual environment of its own; None for no comparison.
    """

    size: Size
    scenes: tuple[Scene, ...]
    against: Path | None = None


@dataclass(frozen=True)
class DecideResult:
    """The named results, the results of every point, the table of all points, and what failed."""

    results: list[Measured]
    points: list[Measured]
    table: str
    failures: list[str]


def choose_scenes(names: list[str], *, full: bool) -> tuple[Scene, ...]:
    """Return the scenes of these names, or all that fit into the time.

    >>> [scene.name for scene in choose_scenes(["240"], full=False)]
    ['240']
    >>> [scene.name for scene in choose_scenes([], full=False)]
    ['240', '1000', 'replicas2', 'serve_proxy']

    Raises
    ------
    ValueError
        For a name that is no scene.
    """
    scenes = {scene.name: scene for scene in (*FACTORS, KNOWN_MILLION)}
    if unknown := set(names) - {*scenes, "base"}:
        raise ValueError(f"no such factor: {', '.join(sorted(unknown))}; there are {', '.join(scenes)}, and base alone")
    if names:
        return tuple(scene for name, scene in scenes.items() if name in names)
    return tuple(scenes.values()) if full else FACTORS


def measure(plan: Plan, say: Say) -> DecideResult:
    """Measure the base point and each scene of a plan, each on a service with new data."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        return _measure(plan, Path(directory), say)


def _measure(plan: Plan, directory: Path, say: Say) -> DecideResult:
    in_process = GroupRounds(60)
    say("base: 60 joint actions, 10,000 shoppers, one replica")
    base = measure_base(plan.size, directory / "base", say, in_process.measure)
    all_series: dict[str, Series] = {"base": base.windows}
    results = [*named_results.base_results(base), *in_process.results("decide.in_process")]
    failures: list[str] = []
    for scene in plan.scenes:
        say(f"{scene.name}: {scene.setup.actions} joint actions")
        try:
            measured = measure_scene(scene, plan.size, directory / scene.name, say)
        except FAILURES as error:
            failures.append(f"{scene.name}: {error}")
            continue
        all_series[scene.name] = measured.windows
        results += named_results.factor_results(scene.name, measured.windows, base.windows)
    results += _compare(plan, directory, say, all_series, failures)
    return DecideResult(results, list(named_results.point_results(all_series)), to_table(all_series), failures)


def _compare(
    plan: Plan, directory: Path, say: Say, all_series: dict[str, Series], failures: list[str]
) -> Iterator[Measured]:
    if plan.against is None:
        return
    say(f"against {plan.against}")
    try:
        windows = measure_against(plan.against, plan.size, directory / "against", say)
    except FAILURES as error:
        failures.append(f"against: {error}")
        return
    all_series["against"] = windows
    yield from named_results.results_against(windows)
