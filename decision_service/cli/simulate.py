"""``decision-service simulate``: run a policy on simulated shoppers, beside baselines and the planner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from math import inf, isfinite
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from decision_service.catalogues.file import CatalogueFileError, example, read_catalogue
from decision_service.cli.measurements import Measured, check_writable, facts, write
from decision_service.cli.messages import print_refusal
from decision_service.cli.own_policy import PolicyFailed, find_policy, make_source, name_failures, trace_failure
from decision_service.cli.remote_shop import RemoteShop, ShopRefused
from decision_service.cli.scenario_file import choose_scenario, fit_weeks
from policies.catalogue.rulebook import Rulebook
from policies.extras import describe_missing
from policies.models.policy import PolicyFactory
from policies.models.registry import BASELINES, POLICIES
from simulators.experiments.contender import (
    Contender,
    ReportHours,
    broadcasts,
    policy_contender,
    sender_contender,
    shop_contender,
)
from simulators.experiments.counts import Counts
from simulators.experiments.mean_estimate import MeanEstimate, estimate_over_seeds
from simulators.experiments.result import Result, describe_last_third
from simulators.experiments.study import Study
from simulators.experiments.study_comparison import StudyComparison
from simulators.plans.plan import Plan
from simulators.plans.planner_contender import planner_contender
from simulators.plans.price_search import SHOPPERS, make_plan
from simulators.plans.stored_plans import stored_plan
from simulators.scenario import SCENARIOS
from simulators.senders.sender import NoSends
from simulators.shops.planner import PLANNER
from simulators.world.world import World

ROUNDS = 1
"""Rounds of the search of the planner's prices where no plan is stored."""


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


def _check_outputs(options: SimulateOptions) -> None:
    try:
        check_writable(json=options.json, report=options.report)
    except ValueError as error:
        raise SimulationRefused(str(error)) from None


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


def _prepare(options: SimulateOptions, shop: RemoteShop | None, console: Console) -> tuple[Study, list[Contender]]:
    """Build everything that is to run, so that bad options are refused before anything runs."""
    try:
        study = _study(options, shop)
        find_plan = cache(partial(_find_plan, study, console))
        contenders = _contenders(options, study, shop, find_plan)
    except ValueError as error:
        raise SimulationRefused(str(error)) from error
    return replace(study, worth=find_plan().worth), contenders


def _find_plan(study: Study, console: Console) -> Plan:
    """Return the planner's plan of a study: the stored one, or one that is made now."""
    plan = stored_plan(study.scenario, study.rulebook)
    if plan is None:
        shoppers = min(SHOPPERS, study.shoppers)
        console.print(
            f"No plan is stored for {study.scenario.name} with this catalogue: simulating {shoppers} other shoppers to "
            f"find what a consent is worth, and the planner's prices; this may take minutes."
        )
        plan = make_plan(study.scenario, study.rulebook, shoppers, ROUNDS)
    return plan


def _study(options: SimulateOptions, shop: RemoteShop | None) -> Study:
    if shop is not None:
        if options.seeds != 1:
            raise ValueError("seeds must be 1 with --url: a service can be asked only while it is fresh")
        if options.catalog is not None:
            raise ValueError("catalog must not be given with --url: the service has its own")
        catalogue = shop.catalogue()
    else:
        catalogue = example() if options.catalog is None else read_catalogue(options.catalog)
    world = fit_weeks(choose_scenario(options.scenario, options.world) or SCENARIOS["stationary"], options.weeks)
    seeds = range(options.seed, options.seed + options.seeds)
    return Study(world, options.shoppers, seeds, Rulebook.of(catalogue, 1))


def _contenders(
    options: SimulateOptions, study: Study, shop: RemoteShop | None, find_plan: Callable[[], Plan]
) -> list[Contender]:
    rulebook = study.rulebook
    policies = {name: _contender(factory, rulebook) for name, factory in POLICIES.items()}
    policies[PLANNER] = planner_contender(find_plan, rulebook)
    if shop is not None:
        first = shop_contender("service", lambda world, seed: shop, rulebook)
    elif options.policy in policies:
        first = policies.pop(options.policy)
    else:
        first = _contender(find_policy(options.policy), rulebook)
    if not options.baselines:
        return [first]
    fixed = [sender_contender("no send", NoSends), *broadcasts()]
    others = [policies[name] for name in (*BASELINES, PLANNER) if name in policies]
    if first.name in {contender.name for contender in (*fixed, *others)}:
        raise ValueError(f"policy: {options.policy} has the name of a baseline, {first.name}: give it another name")
    return [first, *fixed, *others]


def _contender(factory: PolicyFactory, rulebook: Rulebook) -> Contender:
    """Return a policy as a contender.

    Raises
    ------
    ValueError
        When the policy cannot be made.
    """
    make_source(factory, rulebook)
    contender = policy_contender(factory.name, lambda world: make_source(factory, rulebook), rulebook)

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        with name_failures(factory.name):
            return contender.play(world, seed, report_hours)

    return Contender(factory.name, play)


def _compare(study: Study, contenders: list[Contender], console: Console) -> list[Result]:
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        total = study.scenario.hours * len(study.seeds)
        tasks = {contender.name: progress.add_task(contender.name, total=total) for contender in contenders}
        return study.compare(contenders, lambda name, hours: progress.advance(tasks[name], hours))


_LAST_THIRD = "last_third"

_COLUMNS: tuple[tuple[str, str, str, Callable[[Result], float], tuple[float, float]], ...] = (
    ("value", "value", "margin per shopper", lambda result: result.value, (-inf, inf)),
    (_LAST_THIRD, "", "margin per shopper", lambda result: result.value_of_last_third, (-inf, inf)),
    ("realised", "realised", "margin per shopper", lambda result: result.realised, (-inf, inf)),
    ("sends_per_week", "sends/week", "per shopper and week", lambda result: result.sends_per_week, (0.0, inf)),
    ("click_rate", "clicks", "per send", lambda result: result.per_send("click"), (0.0, 1.0)),
    ("conversion_rate", "orders", "per send", lambda result: result.per_send("conversion"), (0.0, inf)),
    ("optouts_per_1k_sends", "opt-outs/1k", "per 1,000 sends", lambda result: result.withdrawals_per_1000, (0.0, inf)),
    ("reach_left", "consent left", "ratio", lambda result: result.reach, (0.0, 1.0)),
    (
        "revenue_per_send",
        "revenue/send",
        "attributed value per send",
        lambda result: result.revenue_per_send,
        (0.0, inf),
    ),
)
"""Of each number: its name in the results and in the table, its unit, and the range that its interval cannot leave."""

RULE = "rule"
"""The contender that all others are compared with: what a shop would otherwise use."""


def measure(results: list[Result]) -> list[Measured]:
    """Return every number with its interval over seeds; the names are ``simulate.<contender>.<number>``.

    With one seed only the paired differences have intervals: over the shoppers of this seed.
    """
    measured = []
    for name, of_contender in _by_contender(results).items():
        prefix = f"simulate.{name.replace(' ', '_')}"
        for key, _, unit, number_of, (least, most) in _COLUMNS:
            mean = estimate_over_seeds([number_of(result) for result in of_contender], least, most)
            low, high = (mean.low, mean.high) if len(of_contender) > 1 else (None, None)
            measured.append(Measured(f"{prefix}.{key}", mean.value, low, high, unit))
    for name, comparison in _compare_with(RULE, results).items():
        prefix = f"simulate.{name.replace(' ', '_')}"
        measured.append(_measure(f"{prefix}.value_minus_rule", comparison.whole_run, "margin per shopper"))
        measured.append(_measure(f"{prefix}.last_third_minus_rule", comparison.in_last_third, "margin per shopper"))
        if comparison.ratio_in_last_third is not None:
            measured.append(_measure(f"{prefix}.last_third_ratio_to_rule", comparison.ratio_in_last_third, "ratio"))
    for name, comparison in _compare_with(PLANNER, results).items():
        if (share := comparison.ratio_in_last_third) is not None:
            key = f"simulate.{name.replace(' ', '_')}.last_third_share_of_planner"
            measured.append(_measure(key, share, "ratio"))
    return measured


def _measure(name: str, estimate: MeanEstimate, unit: str) -> Measured:
    low, high = (bound if isfinite(bound) else None for bound in (estimate.low, estimate.high))
    return Measured(name, estimate.value, low, high, unit)


def _by_contender(results: list[Result]) -> dict[str, list[Result]]:
    names = dict.fromkeys(result.contender for result in results)
    return {name: [result for result in results if result.contender == name] for name in names}


def _compare_with(name: str, results: list[Result]) -> dict[str, StudyComparison]:
    """Return every other contender's comparison with a contender; none where that one did not run."""
    by_contender = _by_contender(results)
    one = by_contender.pop(name, None)
    return {} if one is None else {other: StudyComparison.of(its, one) for other, its in by_contender.items()}


def _print(contenders: list[Contender], results: list[Result]) -> None:
    weeks = describe_last_third(len(results[0].weekly))
    table = Table(
        title="Simulated shoppers",
        caption="value: expected incremental margin per shopper against the same shoppers without any send, minus what "
        "the lost consents would earn later; consent left: the share of consents that remain",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),  # narrow, so that a column for each number fits into 80 characters
    )
    table.add_column("", no_wrap=True)
    for key, heading, _, _, _ in _COLUMNS:
        table.add_column(weeks if key == _LAST_THIRD else heading, justify="right")
    by_contender = _by_contender(results)
    for contender in contenders:
        of_contender = by_contender[contender.name]
        means = (estimate_over_seeds([number_of(one) for one in of_contender]).value for *_, number_of, _ in _COLUMNS)
        table.add_row(contender.name, *(f"{mean:.3f}" for mean in means))
    console = Console()
    console.print(table)
    for name, comparison in _compare_with(RULE, results).items():
        difference = comparison.in_last_third
        where = {1: "above zero", -1: "below zero", 0: "not apart from zero"}[difference.sign]
        console.print(
            f"{name} minus {RULE}, {weeks}: {difference.value:+.4f} "
            f"[{difference.low:+.4f}, {difference.high:+.4f}], {where}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
