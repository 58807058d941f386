"""``decision-service replay``: replay real purchases through a running service, beside baselines and the planner."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from decision_service.catalogues.file import example, read_catalogue
from decision_service.cli.measurements import check_writable, facts, write
from decision_service.cli.messages import print_refusal
from decision_service.cli.own_policy import PolicyFailed, find_policy, make_source, name_failures, trace_failure
from decision_service.cli.remote_shop import RemoteShop, ShopRefused
from decision_service.cli.replay_results import measure, print_results
from decision_service.cli.scenario_file import choose_scenario
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import BASELINES
from simulators.experiments.comparison import ShopRun
from simulators.experiments.contender import NO_SEND
from simulators.plans.price_search import SHOPPERS
from simulators.replay.purchases import UCI, Columns, Purchase, read_purchases
from simulators.replay.replay import Replay
from simulators.replay.replay_plan import make_plan, make_planner
from simulators.replay.replay_result import ReplayResult
from simulators.replay.replay_world import scenario_of, world_of
from simulators.scenarios.scenario import Scenario
from simulators.shops.base import Shop
from simulators.shops.local import LocalShop
from simulators.shops.no_send import NoSendShop
from simulators.shops.planner import PLANNER
from simulators.world.world import World

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
            results = _replay_all(plan, options.seed, errors)
    except (ReplayRefused, ShopRefused, PolicyFailed) as refusal:
        print_refusal(errors, refusal, trace_failure(refusal))
        return 1
    measured = measure(results)
    print_results(results, measured)
    if options.json is not None:
        write(options.json, measured, facts(seed=options.seed, purchases=len(plan.purchases), file=file.name))
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
    if factory.name == PLANNER or BASELINES.get(factory.name, factory) is not factory:
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


def _replay_all(plan: _Plan, seed: int, console: Console) -> list[ReplayResult]:
    """Replay the same purchases to the shop, the baselines and the planner; the baselines explore nothing."""
    rulebook = Rulebook.of(plan.catalogue, 1)
    shops = {plan.name: plan.shop}
    for name, factory in BASELINES.items():
        shops.setdefault(name, LocalShop(make_source(factory, rulebook), rulebook, _draws(seed)))
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {name: progress.add_task(name, total=len(plan.purchases)) for name in (*shops, NO_SEND, PLANNER)}
        stage = _Stage(plan, rulebook, seed, lambda name, purchases: progress.advance(tasks[name], purchases))
        played = {name: stage.play(name, shop, stage.open_world()) for name, shop in shops.items()}
        twin = stage.open_world()
        stage.play(NO_SEND, NoSendShop(), twin)
        progress.console.print(
            f"Simulating the buyers of up to {SHOPPERS} histories anew, to find what a consent is worth and the "
            f"planner's prices; this may take minutes."
        )
        planned, world = make_plan(plan.purchases, plan.scenario, rulebook), stage.open_world()
        planner = make_planner(world, rulebook, plan.purchases, planned, _draws(seed))
        played[PLANNER] = stage.play(PLANNER, planner, world)
    return [ReplayResult.of(run, world, twin, planned.worth) for run, world in played.values()]


@dataclass(frozen=True)
class _Stage:
    """Where all shops play: in worlds of the same shoppers, who buy the same."""

    plan: _Plan
    rulebook: Rulebook
    seed: int
    report: Callable[[str, int], None]

    def open_world(self) -> World:
        return world_of(self.plan.purchases, self.rulebook, self.seed, self.plan.scenario)

    def play(self, name: str, shop: Shop, world: World) -> tuple[ShopRun, World]:
        replay = Replay(shop, world, self.rulebook, self.plan.purchases, f"replay-{self.seed}")
        with name_failures(name) if isinstance(shop, LocalShop) else nullcontext():
            records = replay.run(partial(self.report, name))
        return ShopRun.of(name, records, self.plan.catalogue), world
