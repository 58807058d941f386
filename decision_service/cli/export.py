"""``decision-service export``: the log's decisions with their rewards, as Parquet or dsjson."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from decision_service.cli.messages import print_refusal
from decision_service.evaluation.log_decisions import EVALUATED, YOUNG, LogDecisions
from decision_service.evaluation.logs import log_url
from decision_service.evaluation.readers import open_existing_log
from decision_service.projection.erased_shoppers import ErasedShoppers
from offline_eval.errors import EvaluationError, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.dsjson.writing import write_dsjson
from offline_eval.logs.tables.log import LogEntry, write_log

_PARQUET, _DSJSON = (".parquet", ".pq", ""), (".dsjson", ".json")
"""Ends of names, by format."""


def run(source: str, file: Path) -> int:
    """Export the log to a file; return the exit code."""
    errors = Console(stderr=True)
    try:
        _check_format(file)
        url = log_url(source)
        if url is None:
            raise NotAvailable(f"{source}: is neither the data directory of a service nor a database URL")
        with open_existing_log(url) as log:
            decisions = LogDecisions(log, ErasedShoppers.stored(log).key_of)
            count = _write(file, decisions, errors)
    except (EvaluationError, OSError) as refusal:
        print_refusal(errors, refusal)
        return 1
    young = decisions.counts[YOUNG]
    Console().print(
        f"{count:,} decisions written to {file}" + (f"; {young:,} can still earn something, left out" if young else ""),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0


def _check_format(file: Path) -> None:
    """Refuse a name that promises another format, before the log is read."""
    if file.suffix not in (*_PARQUET, *_DSJSON):
        known = f"Parquet ({_PARQUET[0]}) or dsjson ({_DSJSON[0]})"
        raise NotAvailable(f"{file}: the log is written as {known}, not as {file.suffix}")


def _write(file: Path, decisions: LogDecisions, console: Console) -> int:
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} decisions"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("export", total=None)

        def entries() -> Iterator[LogEntry]:
            for entry in decisions:
                progress.advance(task)
                yield entry

        if file.suffix in _DSJSON:
            return write_dsjson(file, _evaluated_decisions(entries()))
        return write_log(file, entries(), lambda: decisions.catalogues)


def _evaluated_decisions(entries: Iterator[LogEntry]) -> Iterator[LoggedDecision]:
    for entry in entries:
        if entry.role == EVALUATED and entry.decision is not None:
            yield entry.decision
