"""Logs as sources: the service's database, an exported Parquet file, or dsjson, with a target policy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from decision_service.database.sqlite_url import find_file, make_url
from decision_service.evaluation.in_sample import InSampleCheck
from decision_service.evaluation.log_decisions import CRITICAL, EVALUATED, NOT_EVALUATED, YOUNG, LogDecisions
from decision_service.evaluation.options import MODELS, EvaluateOptions
from decision_service.evaluation.targets import Targets
from decision_service.log.base import LogUnavailable
from decision_service.log.sql import SqlLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.history import HistoryCheck
from offline_eval.diagnostics.verdict import Finding, Level
from offline_eval.errors import EvaluationError, NoData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.dsjson import read_dsjson
from offline_eval.logs.tables.log import read_log
from offline_eval.logs.tables.plain import is_parquet
from offline_eval.question import Question
from offline_eval.reports.report import DAY
from offline_eval.reward_models import LogModel
from offline_eval.sequential.trajectories import Trajectories
from offline_eval.slots import check_slots
from offline_eval.weighing import Predict, Weighing

LOG_FILE, REGISTRY_FILE = "decisions.sqlite", "models.sqlite"
_SCHEME = re.compile(r"[a-z][a-z0-9+]*://")


class LogUnreadable(EvaluationError):
    """The service's log cannot be read."""


Read = Callable[[], Iterator[LoggedDecision]]
"""Reads a log from its beginning."""


class LogSource:
    """A log with a target: read once to fit the reward model, where one is needed, and once to evaluate.

    Parameters
    ----------
    name
        The name of the log in reports.
    read
        Yields the log's decisions.
    targets
        Makes target policies.
    question, options
        What to compute, and on which decisions of the log.

    Raises
    ------
    NotAvailable
        When an option has a value that is not allowed.
    """

    def __init__(self, name: str, read: Read, targets: Targets, question: Question, options: EvaluateOptions) -> None:
        if options.model not in MODELS:
            raise NotAvailable(f"there is no reward model {options.model!r}; known are {', '.join(MODELS)}")
        self.name = name
        self.rows: int | None = None
        self.served = ServedFrequencies()
        self._read, self._targets, self._question, self._options = read, targets, question, options
        self._target = options.target or ""
        self._span, self._slots = options.span, check_slots(options.slot_names)
        self._history = HistoryCheck()
        self._in_sample: list[InSampleCheck] = []
        self._have_shopper: Counter[bool] = Counter()

    @property
    def has_shoppers(self) -> bool:
        """Whether any decision named its shopper."""
        return self._have_shopper[True] > 0

    def batches(self) -> Iterator[LoggedBatch]:
        """Weigh the log's decisions."""
        predict, against = self._fit_model(), self._options.against
        weighing = Weighing(
            target=self._targets.make(self._target),
            against=None if against is None else self._targets.make(against),
            predict=predict,
            slots=self._slots,
            labels=self._question.by,
            served=self.served,
        )
        yield from weighing.batches(fill_labels(self._check(self._decisions()), self._question.by))

    def _fit_model(self) -> Predict | None:
        if not self._question.needs_model:
            return None
        if self._options.model == "none":
            raise NotAvailable("these estimators need a reward model: leave --model none, or ask for ipw,snipw")
        return LogModel().fit(self._decisions()).predict

    def _decisions(self) -> Iterator[LoggedDecision]:
        """Read the decisions between --from and --to."""
        is_empty = True
        for decision in self._read():
            if decision.at in self._span:
                is_empty = False
                yield decision
        if is_empty:
            raise NoData(f"{self.name} holds no decision between --from and --to")

    def _check(self, decisions: Iterator[LoggedDecision]) -> Iterator[LoggedDecision]:
        """Yield the decisions unchanged, and collect what `findings` needs: batches do not hold it."""
        decisions = self._history.watch(self._count_shoppers(decisions))
        for name, learned_at in self._targets.learned_at.items():
            check = InSampleCheck(name, learned_at, is_other=name != self._target)
            self._in_sample.append(check)
            decisions = check.watch(decisions)
        return decisions

    def _count_shoppers(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedDecision]:
        for decision in decisions:
            self._have_shopper[decision.has_shopper] += 1
            yield decision

    def trajectories(self) -> Trajectories:
        """Return the log's decisions in the order of their shoppers."""
        return Trajectories.of_decisions(self._decisions(), self._targets.make(self._target))

    def findings(self) -> list[Finding]:
        """Return findings on history, on targets learned from the log, and on decisions left out or without shopper."""
        young = self._read.young if isinstance(self._read, DatabaseReader) else 0
        left_out = f"{young} decisions are left out, as an eligible send could still earn something"
        without, total = self._have_shopper[False], self._have_shopper.total()
        not_clustered = (
            f"{without:,} of {total:,} decisions name no shopper: they are taken as independent of all others"
        )
        return [
            *self._history.findings(is_logging=self._target == "logging"),
            *(finding for check in self._in_sample for finding in check.findings()),
            *([Finding(Level.trust, "too_young", left_out)] if young else []),
            *([Finding(Level.trust, "not_clustered", not_clustered)] if without else []),
        ]


def fill_labels(decisions: Iterable[LoggedDecision], names: Sequence[str]) -> Iterator[LoggedDecision]:
    """Yield decisions with the label "" where one lacks a label that other decisions have.

    Raises
    ------
    NotAvailable
        After the last decision, when no decision had a label of this name.
    """
    wanted = frozenset(names) - {DAY}  # every decision has a day
    if not wanted:
        yield from decisions
        return
    missing, known = set(wanted), set[str]()
    for decision in decisions:
        labels = {*decision.labels, *decision.context}
        missing -= labels
        known |= labels
        absent = wanted - labels
        yield replace(decision, labels={**decision.labels, **dict.fromkeys(absent, "")}) if absent else decision
    if missing:
        raise NotAvailable(f"decisions have no label {min(missing)!r}; known are {', '.join(sorted(known))}")


def log_url(source: str) -> str | None:
    """Return the database URL of a source that is a URL or a data directory; None for other sources."""
    if _SCHEME.match(source):
        return source
    file = Path(source) / LOG_FILE
    return make_url(file) if file.exists() else None


def registry_url(source: str) -> str | None:
    """Return the URL of the registry in the directory of a log; None where there is none."""
    log = find_file(source)
    file = (Path(source) if log is None else log.parent) / REGISTRY_FILE
    return make_url(file) if file.exists() else None


@contextmanager
def open_existing_log(url: str) -> Iterator[SqlLog]:
    """Open the service's log for reading.

    Raises
    ------
    LogUnreadable
        When the log does not exist, or cannot be read.
    """
    file = find_file(url)
    if file is not None and not file.exists():
        raise LogUnreadable(f"there is no log at {file}")
    try:
        log = SqlLog.open(url)
        try:
            yield log
        finally:
            log.close()
    except (LogUnavailable, ValueError) as error:
        raise LogUnreadable(f"the log at {url} cannot be read: {error}") from error


class DatabaseReader:
    """Reads the service's database; ``young`` decisions, which can still earn something, are left out."""

    def __init__(self, url: str, role: str) -> None:
        self._url, self._role = url, role
        self.young = 0

    def __call__(self) -> Iterator[LoggedDecision]:
        """Yield the decisions of the role, from the beginning of the log."""
        with open_existing_log(self._url) as log:
            source = LogDecisions(log, ErasedShoppers.stored(log).key_of)
            for entry in source:
                if entry.role == self._role and entry.decision is not None:
                    yield entry.decision
            self.young = source.counts[YOUNG]
            if not source.counts[self._role]:
                raise NoData(_describe_counts(source.counts, self._role))


def _describe_counts(counts: Counter[str], role: str) -> str:
    return (
        f"the log holds no decision to evaluate with the role {role}: {counts[YOUNG]} are too young (an eligible "
        f"send could still earn something), {counts[CRITICAL]} critical, {counts[EVALUATED]} others, "
        f"{counts[NOT_EVALUATED]} degraded or held out"
    )


def make_file_reader(path: Path, role: str) -> Read:
    """Make a reader of an exported log or of dsjson."""
    if is_parquet(path):
        return lambda: read_log(path, role)
    if role == CRITICAL:
        raise NotAvailable("dsjson does not tell which decisions were critical: leave out --critical")
    return lambda: read_dsjson(path)
