"""``decision-service simulate``: run a policy on simulated shoppers, beside baselines and the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from decision_service.catalogues.file import CatalogueFileError, example, read_catalogue
from decision_service.cli.measurements import Measured, facts, write
from decision_service.cli.remote_shop import RemoteShop, ShopRefused
from policies.catalogue.rulebook import Rulebook
from policies.extras import describe_missing
from policies.models.policy import PolicyFactory
from policies.models.registry import BASELINES, POLICIES, policy_without_floor
from simulators.experiments.study import (
    Contender,
    Result,
    Study,
    estimate_over_seeds,
    policy_contender,
    sender_contender,
    shop_contender,
)
from simulators.scenario import find_scenario
from simulators.shops.broadcast import NoSends, push_daily, three_a_week
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import FixedPolicy, PolicySource
from simulators.shops.oracle import OraclePolicy
from simulators.world.truth import Truth
from simulators.world.world import World

ORACLE_PRICE, ORACLE_LOAD_PRICE = 15.0, 0.03
"""What the oracle subtracts for an opt-out and for load; chosen by hand, close to the best of a few values."""


class SimulationRefused(ValueError):
    """The options make no simulation; the text names the option."""


@dataclass(frozen=True)
class SimulateOptions:
    """The options of the command, as in ``decision-service simulate --help``."""

    scenario: str
    shoppers: int
    weeks: int
    seed: int
    seeds: int
    policy: str
    url: str | None
    catalog: Path | None
    baselines: bool
    json: Path | None
    report: Path | None


def run(options: SimulateOptions) -> int:
    """Run the simulations, show and write the results, and return the exit code."""
    errors = Console(stderr=True)
    try:
        write_report = _report_writer(options.report)
        with _connect(options.url) as shop:
            study, contenders = _plan(options, shop)
            results = _compare(study, contenders, errors)
    except (SimulationRefused, CatalogueFileError, ShopRefused) as refusal:
        errors.print(f"decision-service: {refusal}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    measured = measure(results)
    _print(contenders, results)
    about = facts(
        seed=options.seed,
        seeds=len(study.seeds),
        scenario=f"{study.scenario.name} v{study.scenario.version}",
        shoppers=study.shoppers,
        weeks=study.scenario.weeks,
    )
    if options.json is not None:
        write(options.json, measured, about)
    write_report(study, [contender.name for contender in contenders], results, about)
    return 0


def _report_writer(file: Path | None) -> Callable[[Study, list[str], list[Result], dict[str, Any]], object]:
    """Return what writes the page, if there is a file for the page.

    Raises
    ------
    SimulationRefused
        When the library that draws the plots is not installed.
    """
    if file is None:
        return lambda *_: None
    try:
        from decision_service.cli.simulation_page import page
    except ImportError as error:
        raise SimulationRefused(f"report: {describe_missing('matplotlib', 'plots')}") from error
    return lambda *facts: file.write_text(page(*facts), encoding="utf-8")


@contextmanager
def _connect(url: str | None) -> Iterator[RemoteShop | None]:
    with RemoteShop.connect(url) if url is not None else nullcontext(None) as shop:
        yield shop


def _plan(options: SimulateOptions, shop: RemoteShop | None) -> tuple[Study, list[Contender]]:
    """Build everything that is to run, so that bad options are refused before anything runs."""
    try:
        study = _study(options, shop)
        return study, _contenders(options, study, shop)
    except ValueError as error:
        raise SimulationRefused(str(error)) from error


def _study(options: SimulateOptions, shop: RemoteShop | None) -> Study:
    if shop is not None:
        if options.seeds != 1:
            raise ValueError("seeds must be 1 with --url: a service can be asked only while it is fresh")
        if options.catalog is not None:
            raise ValueError("catalog must not be given with --url: the service has its own")
        catalogue = shop.catalogue()
    else:
        catalogue = example() if options.catalog is None else read_catalogue(options.catalog)
    world = find_scenario(options.scenario)
    if options.weeks != world.weeks:
        world = world.with_weeks(options.weeks)
    seeds = range(options.seed, options.seed + options.seeds)
    return Study(world, options.shoppers, seeds, Rulebook.of(catalogue, 1))


def _contenders(options: SimulateOptions, study: Study, shop: RemoteShop | None) -> list[Contender]:
    rulebook = study.rulebook
    policies = {
        name: policy_contender(name, _source(factory, rulebook), rulebook) for name, factory in POLICIES.items()
    }
    policies["oracle"] = policy_contender("oracle", lambda world: _oracle(Truth(world, rulebook), rulebook), rulebook)
    if shop is not None:
        first = shop_contender("service", lambda world, seed: shop, rulebook)
    elif options.policy in policies:
        first = policies.pop(options.policy)
    else:
        raise ValueError(f"policy must be one of {', '.join(policies)}, not {options.policy!r}")
    if not options.baselines:
        return [first]
    fixed = [
        sender_contender("no send", NoSends),
        sender_contender("push daily", push_daily),
        sender_contender("3 per week", three_a_week),
    ]
    others = [policies[name] for name in (*BASELINES, "oracle") if name in policies]
    return [first, *fixed, *others]


def _source(factory: PolicyFactory, rulebook: Rulebook) -> Callable[[World], PolicySource]:
    """Return what makes the policy of a simulated world: one that learns in this world, or a fixed baseline."""
    make_version = factory.make_version
    if make_version is not None:
        return lambda world: LearningPolicy(rulebook, make_version)
    return lambda world: FixedPolicy(policy_without_floor(factory, rulebook))


def _oracle(truth: Truth, rulebook: Rulebook) -> OraclePolicy:
    return OraclePolicy(truth, rulebook, ORACLE_PRICE, ORACLE_LOAD_PRICE)


def _compare(study: Study, contenders: list[Contender], console: Console) -> list[Result]:
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        total = study.scenario.hours * len(study.seeds)
        tasks = {contender.name: progress.add_task(contender.name, total=total) for contender in contenders}
        return study.compare(contenders, lambda name, hours: progress.advance(tasks[name], hours))


_COLUMNS: tuple[tuple[str, str, str, Callable[[Result], float]], ...] = (
    ("value", "value", "margin per shopper", lambda result: result.value),
    ("last_third", "last third", "margin per shopper", lambda result: result.value_of_last_third),
    ("realised", "realised", "margin per shopper", lambda result: result.realised),
    ("sends_per_week", "sends/week", "per shopper and week", lambda result: result.sends_per_week),
    ("click_rate", "clicks", "per send", lambda result: result.per_send("click")),
    ("conversion_rate", "orders", "per send", lambda result: result.per_send("conversion")),
    ("optouts_per_1k_sends", "opt-outs/1k", "per 1,000 sends", lambda result: result.withdrawals_per_1000),
    ("reach_left", "consent left", "ratio", lambda result: result.reach),
    ("revenue_per_send", "revenue/send", "attributed value per send", lambda result: result.revenue_per_send),
)


def measure(results: list[Result]) -> list[Measured]:
    """Return every number with its interval over seeds; the names are ``simulate.<contender>.<number>``."""
    measured = []
    for name in dict.fromkeys(result.contender for result in results):
        of_contender = [result for result in results if result.contender == name]
        for key, _, unit, number_of in _COLUMNS:
            mean = estimate_over_seeds([number_of(result) for result in of_contender])
            low, high = (mean.low, mean.high) if len(of_contender) > 1 else (None, None)
            measured.append(Measured(f"simulate.{name.replace(' ', '_')}.{key}", mean.value, low, high, unit))
    return measured


def _print(contenders: list[Contender], results: list[Result]) -> None:
    table = Table(
        title="Simulated shoppers",
        caption="value: expected incremental margin per shopper against the same shoppers without any send; "
        "last third: the value in the last third of the weeks; consent left: the share of consents that remain",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),  # narrow, so that a column for each policy fits into 80 characters
    )
    table.add_column("", no_wrap=True)
    for contender in contenders:
        table.add_column(contender.name, justify="right")
    for _, heading, _, number_of in _COLUMNS:
        cells = (
            estimate_over_seeds([number_of(result) for result in results if result.contender == contender.name]).value
            for contender in contenders
        )
        table.add_row(heading, *(f"{cell:.3f}" for cell in cells))
    Console().print(table)
