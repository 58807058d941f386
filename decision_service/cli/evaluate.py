"""``decision-service evaluate``: what another policy would have earned, estimated from a log."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from decision_service.cli.measurements import Measured, facts
from decision_service.cli.messages import print_refusal
from decision_service.evaluation.options import EvaluateOptions, find_options
from decision_service.evaluation.sources import Source, open_source
from offline_eval.batch import cut_blocks
from offline_eval.diagnostics.verdict import Level
from offline_eval.errors import EvaluationError, NotAvailable
from offline_eval.estimators import find_parameters
from offline_eval.evaluation import Evaluation
from offline_eval.question import Question
from offline_eval.reports.html import format_number, render_page
from offline_eval.reports.report import DAY, EvaluationReport, Group, ValueEstimate, to_json
from offline_eval.sequential.evaluation import RESAMPLES as SEQUENTIAL_DRAWS
from offline_eval.sequential.evaluation import SequentialReport, evaluate_sequential

DO_NOT_USE = 3
"""Exit code of ``--strict`` when the verdict is `do not use`."""

STDOUT = Path("-")
_REFUSED = 1
_STYLES = {Level.trust: "green", Level.caution: "yellow", Level.do_not_use: "red"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class _JsonToStandardOutput(TyperCommand):
    """A command whose option ``--json`` may stand without a file: the document then goes to standard output.

    Click has options with an optional value (``flag_value``); Typer refuses them.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert ``-`` after a ``--json`` that no file follows."""
        if "--json" in args:
            after = args.index("--json") + 1
            if after == len(args) or args[after].startswith("--"):
                args = [*args[:after], str(STDOUT), *args[after:]]
        return super().parse_args(ctx, args)


def _evaluate(**values: Any) -> None:
    """Evaluate another policy on a log: values, intervals, diagnostics and a verdict."""
    parameters = {name: values.pop(name) for name in find_parameters()}
    raise typer.Exit(run(EvaluateOptions(**values, parameters=parameters)))


def _signature() -> Signature:
    """Return the options as Typer reads them: the fields of `EvaluateOptions`, and the estimators' parameters."""
    hints, options = get_type_hints(EvaluateOptions, include_extras=True), dict(find_options())
    arguments = []
    for field in fields(EvaluateOptions):
        if field.name == "parameters":
            arguments += _estimator_arguments()
            continue
        option, default = options[field.name], field.default
        hint = get_args(hints[field.name])[0]
        if field.name == "source":
            declared = typer.Argument(help=option.help, metavar="SOURCE...")
            arguments.append(_argument(field.name, hint, declared, Argument.empty))
            continue
        # A name for a flag that is off: Typer would add --no-… otherwise.
        names = [f"--{option.name or field.name}"] if option.name or default is False else []
        declared = typer.Option(*names, help=option.help, metavar=option.metavar)
        arguments.append(_argument(field.name, hint, declared, default))
    return Signature(arguments)


def _estimator_arguments() -> list[Argument]:
    return [
        _argument(
            name,
            float,
            typer.Option(f"--{parameter.option_name}", help=f"{parameter.help} ({', '.join(estimators)})."),
            parameter.default,
        )
        for name, (parameter, estimators) in find_parameters().items()
    ]


def _argument(name: str, hint: Any, declared: Any, default: Any) -> Argument:
    return Argument(name, Argument.KEYWORD_ONLY, annotation=Annotated[hint, declared], default=default)


_evaluate.__signature__ = _signature()  # type: ignore[attr-defined]
app.command(name="evaluate", cls=_JsonToStandardOutput)(_evaluate)


def run(options: EvaluateOptions) -> int:
    """Evaluate; return the exit code."""
    errors = Console(stderr=True)
    try:
        _check_writable([path for path in (options.json, options.report) if path not in (None, STDOUT)])
        question = options.question()
        source = open_source(options, question, sys.stdin.buffer if sys.stdin else None)
        sequential = _evaluate_sequential(source, options) if options.sequential else None
        report = _evaluate_source(source, question, sequential, errors)
    except EvaluationError as refusal:
        print_refusal(errors, refusal)
        return _REFUSED
    about = facts(
        seed=options.seed,
        source=source.name,
        rows=report.diagnostics.weights.rows,
        **options.facts(),
        clustered=options.cluster and source.has_shoppers,
    )
    _print(report, Console(stderr=options.json == STDOUT))
    if options.json is not None:
        _write_json(options.json, report, about)
    if options.report is not None:
        page = render_page(f"Offline evaluation of {source.name}", report, about)
        options.report.write_text(page, encoding="utf-8")
    return DO_NOT_USE if options.strict and report.verdict.level is Level.do_not_use else 0


def _check_writable(paths: list[Path]) -> None:
    """Refuse files that cannot be written before the work, not after it."""
    for path in paths:
        written = path if path.exists() else path.parent
        if path.is_dir() or not path.parent.is_dir() or not os.access(written, os.W_OK):
            raise NotAvailable(f"{path} cannot be written")


def _evaluate_source(
    source: Source, question: Question, sequential: SequentialReport | None, console: Console
) -> EvaluationReport:
    with _show_progress(source.rows, console) as advance:
        evaluation = Evaluation(question)
        for block in cut_blocks(source.batches()):
            evaluation.add(block)
            advance(len(block))
    further = [*source.findings(), *(sequential.findings if sequential else [])]
    report = evaluation.report(further, source.served)
    return replace(report, estimates=[*report.estimates, *sequential.estimates]) if sequential else report


def _evaluate_sequential(source: Source, options: EvaluateOptions) -> SequentialReport:
    draws = options.draws_or(SEQUENTIAL_DRAWS)
    return evaluate_sequential(source.trajectories(), alpha=options.alpha, draws=draws, seed=options.seed or 0)


@contextmanager
def _show_progress(total: int | None, console: Console) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("rows", total=total)
        yield lambda count: progress.advance(task, count)


def _write_json(path: Path, report: EvaluationReport, about: dict[str, object]) -> None:
    results: list[dict[str, object]] = [
        asdict(_to_measured(f"ope.{estimate.name}", estimate)) for estimate in (*report.estimates, *report.differences)
    ]
    results.append(asdict(_to_measured("ope.mean_reward", report.mean_reward)))
    results.append(asdict(Measured("ope.effective_sample_size", report.diagnostics.weights.effective_sample_size)))
    document = {"facts": about, "results": to_json(results), **report.document()}
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if path == STDOUT:
        Console().out(text, end="", highlight=False)
    else:
        path.write_text(text, encoding="utf-8")


def _to_measured(name: str, estimate: ValueEstimate) -> Measured:
    return Measured(name, estimate.value, estimate.low, estimate.high, "reward per decision")


def _print(report: EvaluationReport, console: Console) -> None:
    table = Table(title="Value of the target policy", caption="reward per decision")
    for heading in ("estimator", "value", "low", "high"):
        table.add_column(heading, justify="left" if heading == "estimator" else "right", no_wrap=True)
    for estimate in (*report.estimates, *report.differences, report.mean_reward):
        numbers = (estimate.value, estimate.low, estimate.high)
        table.add_row(estimate.name, *map(format_number, numbers))
    console.print(table)
    for name, groups in report.groups.items():
        if name == DAY:
            continue  # one line per day is for the page
        console.print(_group_table(name, groups))
    weights = report.diagnostics.weights
    console.print(f"{weights.rows:,} rows, {weights.effective_sample_size:,.1f} effective", highlight=False)
    console.print(f"verdict: {report.verdict.level.text}", style=_STYLES[report.verdict.level], highlight=False)
    for finding in report.verdict.findings:
        console.print(f"  {finding.level.text}: {finding.text}", highlight=False, markup=False, soft_wrap=True)


def _group_table(name: str, groups: list[Group]) -> Table:
    # Names and labels come from the log, so they are `Text`: brackets in them are no markup. Nine columns fit into a
    # line of 80 characters only without borders.
    caption = "self-normalised within the group"
    table = Table(title=Text(f"By {name}"), caption=caption, box=SIMPLE_HEAD, padding=0)
    table.add_column(Text(name), no_wrap=True)
    for heading in ("rows", "logged", "target", "effective", "mean weight", "value", "low", "high"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in groups:
        table.add_row(
            Text(group.label or "(none)"),
            f"{group.rows:,}",
            f"{group.share_logged:.1%}",
            f"{group.share_target:.1%}",
            f"{group.effective_sample_size:,.0f}",
            f"{group.mean_weight:.3f} ± {group.mean_weight_error:.3f}",
            *map(format_number, (group.value, group.low, group.high)),
        )
    return table
