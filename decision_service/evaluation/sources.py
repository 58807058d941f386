"""Sources of batches: a plain table, or a log with a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, Protocol

from decision_service.evaluation.logs import LogSource, log_url, registry_url
from decision_service.evaluation.options import EvaluateOptions
from decision_service.evaluation.readers import DatabaseReader, FileReader, Reader, describe_files
from decision_service.evaluation.targets import Targets
from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.verdict import Finding, Level
from offline_eval.errors import NotAvailable
from offline_eval.intervals.sequence import SEQUENCE
from offline_eval.logs.files import LogFile, find_files
from offline_eval.logs.kinds import Kind, find_kind
from offline_eval.logs.tables.plain import TableLayout, count_rows, read_batches
from offline_eval.question import Question
from offline_eval.sequential.trajectories import Trajectories


class Source(Protocol):
    """Where rows come from."""

    name: str
    rows: int | None
    """The number of rows, where it is known before they are read."""

    def batches(self) -> Iterator[LoggedBatch]:
        """Yield the batches; may raise every `EvaluationError`."""
        ...

    def findings(self) -> list[Finding]:
        """Return findings that the verdict must weigh; complete after the batches were read."""
        ...

    def trajectories(self) -> Trajectories:
        """Return the shoppers' decisions in order, for sequential estimators; may raise every `EvaluationError`."""
        ...

    @property
    def has_shoppers(self) -> bool:
        """Whether rows name their shopper, so that they can be clustered; known after the batches were read."""
        ...

    @property
    def served(self) -> ServedFrequencies | None:
        """Served frequencies, where whole distributions were logged."""
        ...


class TableSource:
    """A table of the five numbers."""

    def __init__(self, files: Sequence[LogFile], layout: TableLayout, against: str | None) -> None:
        if against not in (None, "logging"):
            raise NotAvailable("a plain table knows one other policy only: --against logging")
        self.name = describe_files(files)
        self.rows = count_rows(files)
        self.has_shoppers = False
        self.served = None
        self._files, self._layout, self._against = files, layout, against

    def batches(self) -> Iterator[LoggedBatch]:
        for batch in read_batches(self._files, self._layout):
            self.has_shoppers = batch.shoppers is not None
            yield batch if self._against is None else replace(batch, against=batch.as_logging())

    def findings(self) -> list[Finding]:
        if self.has_shoppers:
            return []
        text = "the table has no column shopper: rows are taken as independent of each other"
        return [Finding(Level.trust, "not_clustered", text)]

    def trajectories(self) -> Trajectories:
        """Refuse, because five numbers hold no history."""
        raise NotAvailable("sequential estimators need a log with whole distributions, not a plain table")


def open_source(options: EvaluateOptions, question: Question, standard_input: BinaryIO | None = None) -> Source:
    """Open the source that the command line names.

    Raises
    ------
    EvaluationError
        When there is no such source, or it cannot be evaluated in this way.
    """
    urls = [url for source in options.source if (url := log_url(source)) is not None]
    if urls:
        if len(options.source) > 1:
            raise NotAvailable("the log of a service is evaluated alone: name one source")
        return _open_log(options, DatabaseReader(urls[0], options.role), question)
    files = find_files(options.source, standard_input)
    kind = find_kind(files)
    if kind in (Kind.log, Kind.dsjson):
        return _open_log(options, FileReader(files, kind, options.role), question)
    if names := options.options_of_log():
        name, refused = describe_files(files), " and ".join(names)
        raise NotAvailable(f"{name} is a plain table, which holds the target's probabilities: leave out {refused}")
    layout = TableLayout(question.needs_model, question.by, parse_columns(options.columns))
    return TableSource(files, layout, options.against)


def _open_log(options: EvaluateOptions, reader: Reader, question: Question) -> LogSource:
    if options.target is None:
        raise NotAvailable("a log needs a policy to evaluate: give --target")
    if options.columns:
        raise NotAvailable("a log's columns have names of their own: leave out --columns")
    if question.interval == SEQUENCE and question.needs_model:
        raise NotAvailable(
            "a confidence sequence of dr needs a model that has seen no later row, and that of a log has seen all: "
            "ask for --estimators ipw, or give a table with q_chosen and v_target of a model that was fitted before"
        )
    targets = Targets(options.registry or registry_url(options.source[0]))
    return LogSource(reader, targets, question, options)


def parse_columns(text: str) -> Mapping[str, str]:
    """Return our name → the table's name.

    >>> parse_columns("reward=clicked, shopper=user")
    {'reward': 'clicked', 'shopper': 'user'}
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(equals and ours.strip() and theirs.strip() for ours, equals, theirs in pairs):
        raise NotAvailable(f"--columns is a list of ours=theirs, not {text!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
