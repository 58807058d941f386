"""``decision-service replay``: replay real purchases through a running service, beside the baselines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from decision_service.cli.measurements import Measured, facts, write
from decision_service.cli.remote_shop import RemoteShop, ShopRefused
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import BASELINES, policy_without_floor
from simulators.experiments.comparison import (
    MeanEstimate,
    ShopRun,
    estimate_difference,
    estimate_realised_difference,
)
from simulators.replay.purchases import UCI, Columns, Purchase, PurchasesUnreadable, read_purchases
from simulators.replay.replay import Replay
from simulators.shops.base import Shop
from simulators.shops.local import FixedPolicy, LocalShop

_REQUIRED_TRIGGERS = ("post_purchase", "welcome", "first_order")


def run(file: Path, *, url: str, limit: int | None, seed: int, json: Path | None, columns: Columns = UCI) -> int:
    """Replay a file of purchases, and return the exit code."""
    errors = Console(stderr=True)
    try:
        purchases = read_purchases(file, columns)[:limit]
        if not purchases:
            raise PurchasesUnreadable(f"{file.name}: holds no purchase")
        with RemoteShop.connect(url) as shop:
            catalogue = shop.catalogue()
            _require_triggers(catalogue)
            runs = _replay_all(shop, catalogue, purchases, seed, errors)
    except (PurchasesUnreadable, ShopRefused) as refusal:
        errors.print(f"decision-service: {refusal}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    results = _measure(runs)
    _print(runs, results)
    if json is not None:
        write(json, results, facts(seed=seed, purchases=len(purchases), file=file.name))
    return 0


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
        raise ShopRefused(f"the service's catalogue has no trigger {', '.join(missing)}, which a replay asks about")


def _replay_all(
    service: RemoteShop, catalogue: Catalogue, purchases: list[Purchase], seed: int, console: Console
) -> list[ShopRun]:
    """Replay the same purchases to the service, the rule and uniform choice; the baselines explore nothing."""
    rulebook, draws = Rulebook.of(catalogue, 1), f"replay {seed}".encode()
    shops: list[tuple[str, Shop]] = [("service", service)]
    for name, factory in BASELINES.items():
        shops.append((name, LocalShop(FixedPolicy(policy_without_floor(factory, rulebook)), rulebook, draws)))
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {name: progress.add_task(name, total=len(purchases)) for name, _ in shops}
        advance = {name: partial(progress.advance, task) for name, task in tasks.items()}
        return [
            ShopRun.of(name, Replay(shop, rulebook, purchases, seed).run(advance[name]), catalogue)
            for name, shop in shops
        ]


def _measure(runs: list[ShopRun]) -> list[Measured]:
    service, *others = runs
    quarter = service.last_quarter()
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
        _measure_difference(f"replay.{name}service_minus_{run.name}", estimate(service, run, quarter))
        for run in others
        for name, estimate in (("", estimate_difference), ("realised.", estimate_realised_difference))
    ]
    return per_decision + differences + totals


def _measure_difference(name: str, estimate: MeanEstimate) -> Measured:
    return Measured(name, estimate.value, estimate.low, estimate.high, "reward per decision, last quarter")


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
