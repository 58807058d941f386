"""``decision-service evaluate``: what another policy would have earned, from a log of what was done."""

from __future__ import annotations

import json as json_format
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from decision_service.cli.measurements import Measured, facts
from decision_service.evaluation.log_decisions import CRITICAL, EVALUATED
from decision_service.evaluation.sources import Asked, Source, open_source
from decision_service.queries.report.span import Span
from offline_eval.batch import blocks
from offline_eval.diagnostics.verdict import Level
from offline_eval.errors import EvaluationError, NotAvailable
from offline_eval.estimators import NAMES, named
from offline_eval.estimators.base import Limits
from offline_eval.evaluation import Evaluation
from offline_eval.question import DRAWS, Question
from offline_eval.reports.html import number, page
from offline_eval.reports.report import DAY, Estimate, Group, Report, finite
from offline_eval.sequential.evaluation import DRAWS as SEQUENTIAL_DRAWS
from offline_eval.sequential.evaluation import SequentialReport, evaluate_sequential

DO_NOT_USE = 3
"""Exit code of ``--strict`` when the verdict is `do not use`."""

STDOUT = Path("-")
_REFUSED = 1
_OF_LOG = ("target", "against", "slots", "model", "critical", "sequential")
_ASKED = frozenset((*_OF_LOG, "interval", "alpha", "reward_range", "max_weight", "tau", "clip"))
_STYLES = {Level.trust: "green", Level.caution: "yellow", Level.do_not_use: "red"}


@dataclass(frozen=True)
class Options:
    """What the command line asks for, as typed."""

    source: str
    target: str | None = None
    against: str | None = None
    estimators: str | None = None
    tau: float = 5.0
    shrinkage: float = 5.0
    clip: float = float("inf")
    interval: str = "normal"
    alpha: float = 0.05
    draws: int | None = None
    """None: `DRAWS`, and those of sequential estimators, each of which takes longer, `SEQUENTIAL_DRAWS`."""
    seed: int | None = None
    reward_range: str = "0,1"
    max_weight: float = float("inf")
    clustered: bool = True
    by: str = ""
    columns: str = ""
    model: str = "linear"
    registry: str | None = None
    slots: str = ""
    critical: bool = False
    start: str | None = None
    end: str | None = None
    sequential: bool = False
    strict: bool = False
    json: Path | None = None
    report: Path | None = None


def run(options: Options) -> int:
    """Evaluate; return the exit code."""
    errors = Console(stderr=True)
    try:
        _check_writable([path for path in (options.json, options.report) if path not in (None, STDOUT)])
        question = _question(options)
        source = open_source(_source(options), question)
        sequel = _sequel(source, options) if options.sequential else None
        report = _evaluate(source, question, sequel, errors)
    except EvaluationError as refusal:
        errors.print(f"decision-service: {refusal}", style="red", highlight=False, markup=False, soft_wrap=True)
        return _REFUSED
    told = _asked(options) | {"clustered": options.clustered and source.has_shoppers}
    about = facts(seed=options.seed, source=source.name, rows=report.diagnostics.weights.rows, **told)
    _show(report, Console(stderr=options.json == STDOUT))
    if options.json is not None:
        _write_json(options.json, report, about)
    if options.report is not None:
        options.report.write_text(page(f"Offline evaluation of {source.name}", report, about), encoding="utf-8")
    return DO_NOT_USE if options.strict and report.verdict.level is Level.do_not_use else 0


def _check_writable(paths: list[Path]) -> None:
    """Refuse files that cannot be written before the work, not after it."""
    for path in paths:
        written = path if path.exists() else path.parent
        if path.is_dir() or not path.parent.is_dir() or not os.access(written, os.W_OK):
            raise NotAvailable(f"{path} cannot be written")


def _question(options: Options) -> Question:
    names = _split(options.estimators) or NAMES
    return Question(
        estimators=named(names, tau=options.tau, shrinkage=options.shrinkage, clip=options.clip),
        interval=options.interval,
        alpha=options.alpha,
        limits=_limits(options),
        clustered=options.clustered,
        by=_by(options),
        draws=_draws(options, DRAWS),
        seed=options.seed,
    )


def _draws(options: Options, default: int) -> int:
    return default if options.draws is None else options.draws


def _by(options: Options) -> tuple[str, ...]:
    """Give the labels to split by; a page of a log also shows the value over time."""
    asked = _split(options.by)
    over_time = [DAY] if options.target is not None and options.report is not None else []
    return tuple(dict.fromkeys([*asked, *over_time]))


def _source(options: Options) -> Asked:
    return Asked(
        source=options.source,
        target=options.target,
        against=options.against,
        columns=options.columns,
        model=options.model,
        registry=options.registry,
        slots=tuple(_split(options.slots)),
        role=CRITICAL if options.critical else EVALUATED,
        span=_span(options),
    )


def _span(options: Options) -> Span:
    told = {"start": _time("--from", options.start), "end": _time("--to", options.end)}
    return Span(**{name: at for name, at in told.items() if at is not None})


def _time(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise NotAvailable(f"{option} is an ISO 8601 time, such as 2026-11-21T17:00:00Z, not {text!r}") from None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _limits(options: Options) -> Limits:
    try:
        low, high = (float(bound) for bound in options.reward_range.split(","))
    except ValueError:
        raise NotAvailable(f"--reward-range is two numbers, low,high, not {options.reward_range!r}") from None
    if not low < high:
        raise NotAvailable(f"--reward-range must rise, not {options.reward_range!r}")
    return Limits(low, high, options.max_weight)


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _asked(options: Options) -> dict[str, object]:
    """Give what a reader needs to ask the same again; what is unlimited is None, as JSON has no infinity."""
    told = {name: value for name, value in asdict(options).items() if name in _ASKED}
    told |= {"lambda": options.shrinkage, "from": options.start, "to": options.end}
    told |= {"draws": _draws(options, DRAWS), "sequential_draws": _draws(options, SEQUENTIAL_DRAWS)}
    return {name: None if value == float("inf") else value for name, value in told.items()}


def _evaluate(source: Source, question: Question, sequel: SequentialReport | None, console: Console) -> Report:
    with _progress(source.rows, console) as advance:
        evaluation = Evaluation(question)
        for block in blocks(source.batches()):
            evaluation.add(block)
            advance(len(block))
    report = evaluation.report([*source.findings(), *(sequel.findings if sequel else [])], source.served)
    return report if sequel is None else replace(report, estimates=[*report.estimates, *sequel.estimates])


def _sequel(source: Source, options: Options) -> SequentialReport:
    draws = _draws(options, SEQUENTIAL_DRAWS)
    return evaluate_sequential(source.trajectories(), alpha=options.alpha, draws=draws, seed=options.seed or 0)


@contextmanager
def _progress(total: int | None, console: Console) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("rows", total=total)
        yield lambda count: progress.advance(task, count)


def _write_json(path: Path, report: Report, about: dict[str, object]) -> None:
    results: list[dict[str, object]] = [
        asdict(_measured(f"ope.{each.name}", each)) for each in (*report.estimates, *report.differences)
    ]
    results.append(asdict(_measured("ope.mean_reward", report.mean_reward)))
    results.append(asdict(Measured("ope.effective_sample_size", report.diagnostics.weights.effective_sample_size)))
    document = {"facts": about, "results": finite(results), **report.document()}
    text = json_format.dumps(document, indent=2, allow_nan=False) + "\n"
    if path == STDOUT:
        Console().out(text, end="", highlight=False)
    else:
        path.write_text(text, encoding="utf-8")


def _measured(name: str, each: Estimate) -> Measured:
    return Measured(name, each.value, each.low, each.high, "reward per decision")


def _show(report: Report, console: Console) -> None:
    table = Table(title="Value of the target policy", caption="reward per decision")
    for heading in ("estimator", "value", "low", "high"):
        table.add_column(heading, justify="left" if heading == "estimator" else "right", no_wrap=True)
    for each in (*report.estimates, *report.differences, report.mean_reward):
        table.add_row(each.name, number(each.value), number(each.low), number(each.high))
    console.print(table)
    for name, groups in report.groups.items():
        if name == DAY:
            continue  # one line a day is for the page
        console.print(_grouped(name, groups))
    weights = report.diagnostics.weights
    console.print(f"{weights.rows:,} rows, {weights.effective_sample_size:,.1f} effective", highlight=False)
    console.print(f"verdict: {report.verdict.level.text}", style=_STYLES[report.verdict.level], highlight=False)
    for reason in report.verdict.reasons:
        console.print(f"  {reason.level.text}: {reason.text}", highlight=False, markup=False, soft_wrap=True)


def _grouped(name: str, groups: list[Group]) -> Table:
    # Names and labels as `Text`: they are the log's, and brackets in them no markup of ours. Nine columns fit into a
    # line of 80 characters only without borders.
    caption = "self-normalised within the group"
    table = Table(title=Text(f"By {name}"), caption=caption, box=SIMPLE_HEAD, padding=0)
    table.add_column(Text(name), no_wrap=True)
    for heading in ("rows", "logged", "target", "effective", "mean weight", "value", "low", "high"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in groups:
        table.add_row(
            Text(each.label or "(none)"),
            f"{each.rows:,}",
            f"{each.share_logged:.1%}",
            f"{each.share_target:.1%}",
            f"{each.effective_sample_size:,.0f}",
            f"{each.mean_weight:.3f} ± {each.mean_weight_error:.3f}",
            number(each.value),
            number(each.low),
            number(each.high),
        )
    return table
