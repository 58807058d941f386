"""Sources: what is evaluated, as batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Protocol

from decision_service.evaluation.log_decisions import EVALUATED
from decision_service.evaluation.logs import DatabaseReader, Log, LogQuestion, Read, file_reader, log_url, registry_url
from decision_service.evaluation.targets import Targets
from decision_service.queries.report.span import Span
from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.verdict import Finding, Level
from offline_eval.errors import NotAvailable
from offline_eval.logs.dsjson import is_dsjson
from offline_eval.logs.tables.log import is_log
from offline_eval.logs.tables.plain import Layout, count_rows, read_rows
from offline_eval.question import SEQUENCE, Question
from offline_eval.sequential.trajectories import Trajectories


class Source(Protocol):
    """Where rows come from."""

    name: str
    rows: int | None
    """How many there are, where that is known beforehand."""

    def batches(self) -> Iterator[LoggedBatch]:
        """Give the rows; may raise every `EvaluationError`."""
        ...

    def findings(self) -> list[Finding]:
        """Tell what the verdict must weigh besides the rows, after they were read."""
        ...

    def trajectories(self) -> Trajectories:
        """Give the shoppers' decisions in order, for sequential estimators; may raise every `EvaluationError`."""
        ...

    @property
    def has_shoppers(self) -> bool:
        """Whether rows name their shopper, so that they can be clustered; known once they were read."""
        ...

    @property
    def served(self) -> ServedFrequencies | None:
        """Served frequencies, where whole distributions were logged."""
        ...


@dataclass(frozen=True)
class Asked:
    """What the command line says about the source."""

    source: str
    target: str | None = None
    against: str | None = None
    columns: str = ""
    model: str = "linear"
    registry: str | None = None
    slots: tuple[str, ...] = ()
    role: str = EVALUATED
    span: Span = field(default_factory=Span)

    @property
    def of_log(self) -> list[str]:
        """The options given that only a log takes."""
        given = {
            "--target": self.target is not None,
            "--slots": bool(self.slots),
            "--model": self.model != "linear",
            "--critical": self.role != EVALUATED,
            "--registry": self.registry is not None,
            "--from": isfinite(self.span.start),
            "--to": isfinite(self.span.end),
        }
        return [name for name, is_given in given.items() if is_given]


class PlainTable:
    """A table of the five numbers."""

    def __init__(self, path: Path, layout: Layout, against: str | None) -> None:
        if against not in (None, "logging"):
            raise NotAvailable("a plain table knows one other policy only: --against logging")
        self.name = path.name
        self.rows = count_rows(path)
        self.has_shoppers = False
        self.served = None
        self._path, self._layout, self._against = path, layout, against

    def batches(self) -> Iterator[LoggedBatch]:
        """Read the table."""
        for rows in read_rows(self._path, self._layout):
            self.has_shoppers = rows.shoppers is not None
            yield rows if self._against is None else replace(rows, against=rows.as_logging())

    def findings(self) -> list[Finding]:
        """Say where rows could not be clustered."""
        if self.has_shoppers:
            return []
        alone = "the table has no column shopper: rows are taken as independent of each other"
        return [Finding(Level.trust, "not_clustered", alone)]

    def trajectories(self) -> Trajectories:
        """Refuse: five numbers tell no history."""
        raise NotAvailable("sequential estimators need a log with whole distributions, not a plain table")


def open_source(asked: Asked, question: Question) -> Source:
    """Open what the command line names.

    Raises
    ------
    EvaluationError
        When there is no such source, or it cannot be evaluated this way.
    """
    url, path = log_url(asked.source), Path(asked.source)
    if url is not None or is_log(path) or is_dsjson(path):
        return _open_log(asked, url, question)
    if asked.of_log:
        options = " and ".join(asked.of_log)
        raise NotAvailable(f"{path.name} is a plain table, which holds the target's probabilities: leave out {options}")
    layout = Layout(question.needs_model, question.by, mapping(asked.columns))
    return PlainTable(path, layout, asked.against)


def _open_log(asked: Asked, url: str | None, question: Question) -> Log:
    if asked.target is None:
        raise NotAvailable("a log needs a policy to evaluate: give --target")
    if asked.columns:
        raise NotAvailable("a log's columns have names of their own: leave out --columns")
    if question.interval == SEQUENCE and question.needs_model:
        raise NotAvailable(
            "a confidence sequence of dr needs a model that has seen no later row, and that of a log has seen all: "
            "ask for --estimators ipw, or give a table with q_chosen and v_target of a model that was fitted before"
        )
    read: Read = file_reader(Path(asked.source), asked.role) if url is None else DatabaseReader(url, asked.role)
    name = Path(asked.source).name if url is None else "the log of the service"
    targets = Targets(asked.registry or registry_url(asked.source))
    own = LogQuestion(asked.target, asked.against, asked.model, asked.slots, asked.span)
    return Log(name, read, targets, question, own)


def mapping(text: str) -> Mapping[str, str]:
    """Read a mapping of columns.

    >>> mapping("reward=clicked, shopper=user")
    {'reward': 'clicked', 'shopper': 'user'}
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(equals and own.strip() and theirs.strip() for own, equals, theirs in pairs):
        raise NotAvailable(f"--columns is a list of ours=theirs, not {text!r}")
    return {own.strip(): theirs.strip() for own, _, theirs in pairs}
