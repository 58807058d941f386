"""``decision-service simulate``: run a policy on simulated shoppers, beside baselines and the planner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from decision_service.catalogues.file import CatalogueFileError, example, read_catalogue
from decision_service.cli.measurements import check_writable, facts, write
from decision_service.cli.messages import print_refusal
from decision_service.cli.own_policy import PolicyFailed, trace_failure
from decision_service.cli.remote_shop import RemoteShop, ShopRefused
from decision_service.cli.scenario_file import choose_scenario, fit_weeks
from decision_service.cli.simulation.contenders import choose_contenders
from decision_service.cli.simulation.measuring import measure
from decision_service.cli.simulation.plan import find_plan
from decision_service.cli.simulation.table import print_results
from policies.catalogue.rulebook import Rulebook
from policies.extras import describe_missing
from simulators.experiments.contender import Contender
from simulators.experiments.result import Result
from simulators.experiments.study import Study
from simulators.scenario import SCENARIOS


class SimulationRefused(ValueError):
    """The options make no simulation; the text names the option."""


@dataclass(frozen=True)
class SimulateOptions:
    """The options of the command, as in ``decision-service simulate --help``."""

    scenario: str | None
    shoppers: int
    weeks: int | None
    seed: int
    seeds: int
    policy: str
    url: str | None
    catalog: Path | None
    baselines: bool
    json: Path | None
    report: Path | None
    world: int | None = None
    hold_share: float = 0.0


def run(options: SimulateOptions) -> int:
    """Run the simulations, show and write the results, and return the exit code."""
    errors = Console(stderr=True)
    try:
        _check_outputs(options)
        write_report = _report_writer(options.report)
        with _connect(options.url) as shop:
            study, contenders = _prepare(options, shop, errors)
            results = _compare(study, contenders, errors)
    except (SimulationRefused, CatalogueFileError, ShopRefused, PolicyFailed) as refusal:
        print_refusal(errors, refusal, trace_failure(refusal))
        return 1
    print_results(results)
    about = facts(
        seed=options.seed,
        seeds=len(study.seeds),
        scenario=f"{study.scenario.name} v{study.scenario.version}",
        shoppers=study.shoppers,
        weeks=study.scenario.weeks,
        hold_share=options.hold_share,
    )
    if options.json is not None:
        write(options.json, measure(results), about)
    write_report(study, results, about)
    return 0


def _check_outputs(options: SimulateOptions) -> None:
    try:
        check_writable(json=options.json, report=options.report)
    except ValueError as error:
        raise SimulationRefused(str(error)) from None


def _report_writer(file: Path | None) -> Callable[[Study, list[Result], dict[str, Any]], object]:
    """Return what writes the page, if there is a file for the page.

    Raises
    ------
    SimulationRefused
        When the library that draws the plots is not installed.
    """
    if file is None:
        return lambda *_: None
    try:
        from decision_service.cli.simulation.page import page
    except ImportError as error:
        raise SimulationRefused(f"report: {describe_missing('matplotlib', 'plots')}") from error
    return lambda *facts: file.write_text(page(*facts), encoding="utf-8")


@contextmanager
def _connect(url: str | None) -> Iterator[RemoteShop | None]:
    with RemoteShop.connect(url) if url is not None else nullcontext(None) as shop:
        yield shop


def _prepare(options: SimulateOptions, shop: RemoteShop | None, console: Console) -> tuple[Study, list[Contender]]:
    """Build everything that is to run, so that bad options are refused before anything runs."""
    try:
        study = _study(options, shop)
        make_plan = cache(partial(find_plan, study, console))
        contenders = choose_contenders(
            options.policy,
            shop,
            study.rulebook,
            make_plan,
            baselines=options.baselines,
            hold_share=options.hold_share,
        )
    except ValueError as error:
        raise SimulationRefused(str(error)) from error
    return replace(study, worth=make_plan().worth), contenders


def _study(options: SimulateOptions, shop: RemoteShop | None) -> Study:
    if shop is not None:
        if options.seeds != 1:
            raise ValueError("seeds must be 1 with --url: a service can be asked only while it is fresh")
        if options.catalog is not None:
            raise ValueError("catalog must not be given with --url: the service has its own")
        if options.hold_share:
            raise ValueError("hold-share must not be given with --url: the service has its own")
        catalogue = shop.catalogue()
    else:
        catalogue = example() if options.catalog is None else read_catalogue(options.catalog)
    world = fit_weeks(choose_scenario(options.scenario, options.world) or SCENARIOS["stationary"], options.weeks)
    seeds = range(options.seed, options.seed + options.seeds)
    return Study(world, options.shoppers, seeds, Rulebook.of(catalogue, 1))


def _compare(study: Study, contenders: list[Contender], console: Console) -> list[Result]:
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        total = study.scenario.hours * len(study.seeds)
        tasks = {contender.name: progress.add_task(contender.name, total=total) for contender in contenders}
        return study.compare(contenders, lambda name, hours: progress.advance(tasks[name], hours))
