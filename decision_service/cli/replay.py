"""``decision-service replay``: replay real purchases through a running service, beside the baselines."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from decision_service.catalogues.file import example, read_catalogue
from decision_service.cli.measurements import Measured, check_writable, facts, write
from decision_service.cli.messages import print_refusal
from decision_service.cli.own_policy import PolicyFailed, find_policy, make_source, name_failures, trace_failure
from decision_service.cli.remote_shop import RemoteShop, ShopRefused
from decision_service.cli.scenario_file import choose_scenario
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import BASELINES
from simulators.experiments.comparison import (
    ShopRun,
    estimate_difference,
    estimate_realised_difference,
)
from simulators.experiments.mean_estimate import MeanEstimate
from simulators.replay.purchases import UCI, Columns, Purchase, read_purchases
from simulators.replay.replay import Replay, scenario_of
from simulators.scenario import Scenario
from simulators.shops.base import Shop
from simulators.shops.local import LocalShop

_REQUIRED_TRIGGERS = ("post_purchase", "welcome", "first_order")


class ReplayRefused(ValueError):
    """The options make no replay; the text names the option or the file."""


@dataclass(frozen=True)
class ReplayOptions:
    """The options of the command, as in ``decision-service replay --help``."""

    url: str | None = None
    policy: str | None = None
    catalog: Path | None = None
    scenario: str | None = None
    limit: int | None = None
    seed: int = 0
    json: Path | None = None
    columns: Columns = UCI
    world: int | None = None


def run(file: Path, options: ReplayOptions) -> int:
    """Replay a file of purchases, and return the exit code."""
    errors = Console(stderr=True)
    try:
        with ExitStack() as stack:
            plan = _plan(file, options, stack)
            runs = _replay_all(plan, options.seed, errors)
    except (ReplayRefused, ShopRefused, PolicyFailed) as refusal:
        print_refusal(errors, refusal, trace_failure(refusal))
        return 1
    results = _measure(runs)
    _print(runs, results)
    if options.json is not None:
        write(options.json, results, facts(seed=options.seed, purchases=len(plan.purchases), file=file.name))
    return 0


@dataclass(frozen=True)
class _Plan:
    """Everything that is to run: a shop with its name, the catalogue, the purchases and the world's scenario."""

    name: str
    shop: Shop
    catalogue: Catalogue
    purchases: list[Purchase]
    scenario: Scenario


def _plan(file: Path, options: ReplayOptions, stack: ExitStack) -> _Plan:
    """Build everything that is to run, so that bad options are refused before anything runs."""
    try:
        check_writable(json=options.json)
        base = choose_scenario(options.scenario, options.world)
        purchases = read_purchases(file, options.columns)[: options.limit]
        if not purchases:
            raise ValueError(f"{file.name}: holds no purchase")
        name, shop, catalogue = _open_shop(options, stack)
        _require_triggers(catalogue)
        return _Plan(name, shop, catalogue, purchases, scenario_of(purchases, base))
    except ValueError as error:
        raise ReplayRefused(str(error)) from error


def _open_shop(options: ReplayOptions, stack: ExitStack) -> tuple[str, Shop, Catalogue]:
    """Return the shop that is compared with the baselines: its name, itself and its catalogue."""
    if (options.url is None) == (options.policy is None):
        raise ValueError("replay needs either --url of a service, or --policy in this process")
    if options.url is not None:
        if options.catalog is not None:
            raise ValueError("catalog must not be given with --url: the service has its own")
        service = stack.enter_context(RemoteShop.connect(options.url))
        return "service", service, service.catalogue()
    factory = find_policy(str(options.policy))
    if BASELINES.get(factory.name, factory) is not factory:
        raise ValueError(f"policy: {options.policy} has the name of a baseline, {factory.name}: give it another name")
    catalogue = example() if options.catalog is None else read_catalogue(options.catalog)
    rulebook = Rulebook.of(catalogue, 1)
    return factory.name, LocalShop(make_source(factory, rulebook), rulebook, _draws(options.seed)), catalogue


def _draws(seed: int) -> bytes:
    return f"replay {seed}".encode()


def parse_columns(order: str, shopper: str, time: str, price: str, quantity: str, product: str) -> Columns:
    """Return the columns from the headers that were typed; an empty header means no such column.

    Raises
    ------
    typer.BadParameter
        When a required column is empty.
    """
    try:
        return Columns(order or None, shopper, time, price, quantity or None, product or None)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _require_triggers(catalogue: Catalogue) -> None:
    missing = [trigger for trigger in _REQUIRED_TRIGGERS if trigger not in catalogue.triggers]
    if missing:
        raise ShopRefused(f"the catalogue has no trigger {', '.join(missing)}, which a replay asks about")


def _replay_all(plan: _Plan, seed: int, console: Console) -> list[ShopRun]:
    """Replay the same purchases to the shop, the rule and uniform choice; the baselines explore nothing."""
    rulebook, purchases = Rulebook.of(plan.catalogue, 1), plan.purchases
    shops = {plan.name: plan.shop}
    for name, factory in BASELINES.items():
        shops.setdefault(name, LocalShop(make_source(factory, rulebook), rulebook, _draws(seed)))
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {name: progress.add_task(name, total=len(purchases)) for name in shops}
        advance = {name: partial(progress.advance, task) for name, task in tasks.items()}
        runs = []
        for name, shop in shops.items():
            with name_failures(name) if isinstance(shop, LocalShop) else nullcontext():
                records = Replay(shop, rulebook, purchases, seed, plan.scenario).run(advance[name])
            runs.append(ShopRun.of(name, records, plan.catalogue))
        return runs


def _measure(runs: list[ShopRun]) -> list[Measured]:
    first, *others = runs
    quarter = first.last_quarter()
    per_decision = [
        Measured(f"replay.{run.name}.{name}", float(values[quarter].mean()), unit="reward")
        for run in runs
        for name, values in (
            ("reward_per_decision", run.expected),
            ("realised_reward_per_decision", run.rewards),
        )
    ]
    totals = [
        Measured(f"replay.{run.name}.{name}", float(value), unit=unit)
        for run in runs
        for name, value, unit in (
            ("sends", run.sends.sum(), "count"),
            ("click_rate", run.clicks.sum() / max(1, run.sends.sum()), "ratio"),
            ("optouts_per_1k_sends", 1_000 * run.opt_outs.sum() / max(1, run.sends.sum()), "per 1,000"),
        )
    ]
    differences = [
        _measure_difference(f"replay.{name}{first.name}_minus_{run.name}", estimate(first, run, quarter))
        for run in others
        for name, estimate in (("", estimate_difference), ("realised.", estimate_realised_difference))
    ]
    return per_decision + differences + totals


def _measure_difference(name: str, estimate: MeanEstimate) -> Measured:
    low, high = (bound if isfinite(bound) else None for bound in (estimate.low, estimate.high))
    return Measured(name, estimate.value, low, high, "reward per decision, last quarter")


def _print(runs: list[ShopRun], results: list[Measured]) -> None:
    console = Console()
    table = Table(title="Real purchases, simulated responses: by week", caption="reward per decision")
    headings = ("week", "decisions", "sends", "clicks", "opt-outs", *(run.name for run in runs))
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for weeks in zip(*(run.weeks() for run in runs), strict=True):
        week = weeks[0]
        counts = (week.week, week.decisions, week.sends, week.clicks, week.opt_outs)
        table.add_row(*map(str, counts), *(f"{run_week.reward_per_decision:.3f}" for run_week in weeks))
    console.print(table)
    for result in results:
        if result.low is not None and result.high is not None:
            # The difference in reward per decision of the last quarter, with its 95 % interval.
            sign = "above" if result.low > 0 else "below" if result.high < 0 else "not apart from"
            console.print(
                f"{result.name}: {result.value:+.4f} [{result.low:+.4f}, {result.high:+.4f}], {sign} zero",
                highlight=False,
            )
