"""Logs as sources: the service's database, an exported Parquet file, or dsjson, with a target policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from decision_service.evaluation.in_sample import InSample
from decision_service.evaluation.log_decisions import CRITICAL, EVALUATED, NOT_EVALUATED, YOUNG, LogDecisions
from decision_service.evaluation.targets import Targets
from decision_service.log.base import LogUnavailable
from decision_service.log.sql import SqlLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.queries.report.span import Span
from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.history import History
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
from offline_eval.weighing import Weighing

LOG_FILE, REGISTRY_FILE = "decisions.sqlite", "models.sqlite"
_SQLITE = "sqlite:///"


class LogUnreadable(EvaluationError):
    """The service's log cannot be read."""


Read = Callable[[], Iterator[LoggedDecision]]
"""Reads a log from its beginning."""


@dataclass(frozen=True)
class LogQuestion:
    """What is asked of a log: see the options of ``decision-service evaluate``."""

    target: str
    against: str | None
    model: str
    slots: tuple[str, ...]
    span: Span

    def __post_init__(self) -> None:
        if self.model not in ("linear", "none"):
            raise NotAvailable(f"there is no reward model {self.model!r}; known are linear, none")
        check_slots(self.slots)


class Log:
    """A log with a target: read once to fit the reward model, where one is needed, and once to evaluate.

    Parameters
    ----------
    name
        What to call it.
    read
        Gives its decisions.
    targets
        Makes target policies.
    question, asked
        What to compute, and on what.
    """

    def __init__(self, name: str, read: Read, targets: Targets, question: Question, asked: LogQuestion) -> None:
        self.name = name
        self.rows: int | None = None
        self.served = ServedFrequencies()
        self._read, self._targets, self._question, self._asked = read, targets, question, asked
        self._history = History()
        self._in_sample: list[InSample] = []
        self._of_shoppers: Counter[bool] = Counter()

    @property
    def has_shoppers(self) -> bool:
        """Whether any decision named its shopper."""
        return self._of_shoppers[True] > 0

    def batches(self) -> Iterator[LoggedBatch]:
        """Weigh the log's decisions."""
        model = None
        if self._question.needs_model:
            if self._asked.model == "none":
                raise NotAvailable("these estimators need a reward model: leave --model none, or ask for ipw,snipw")
            model = LogModel().fit(self._decisions())
        asked = self._asked
        weighing = Weighing(
            target=self._targets.named(asked.target),
            against=None if asked.against is None else self._targets.named(asked.against),
            predict=None if model is None else model.predict,
            slots=asked.slots,
            labels=self._question.by,
            served=self.served,
        )
        yield from weighing.rows(labelled(self._watched(), self._question.by))

    def _decisions(self) -> Iterator[LoggedDecision]:
        """Read the decisions that are asked about."""
        found = False
        for decision in self._read():
            if decision.at in self._asked.span:
                found = True
                yield decision
        if not found:
            raise NoData(f"{self.name} holds no decision between --from and --to")

    def _watched(self) -> Iterator[LoggedDecision]:
        """Read them, and watch what the rows will not tell."""
        decisions = self._history.watched(self._counted(self._decisions()))
        for name, learned_at in self._targets.learned_at.items():
            watch = InSample(name, learned_at, is_other=name != self._asked.target)
            self._in_sample.append(watch)
            decisions = watch.watched(decisions)
        return decisions

    def _counted(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedDecision]:
        for decision in decisions:
            self._of_shoppers[decision.has_shopper] += 1
            yield decision

    def trajectories(self) -> Trajectories:
        """Put the log's decisions in the order of their shoppers."""
        return Trajectories.of_decisions(self._decisions(), self._targets.named(self._asked.target))

    def findings(self) -> list[Finding]:
        """Tell what the rows do not: whether history matters, and whether a target was learned from them."""
        young = self._read.young if isinstance(self._read, DatabaseReader) else 0
        left_out = f"{young} decisions are left out, as an eligible send could still earn something"
        alone, every = self._of_shoppers[False], self._of_shoppers.total()
        apart = f"{alone:,} of {every:,} decisions name no shopper: they are taken as independent of all others"
        return [
            *self._history.findings(is_logging=self._asked.target == "logging"),
            *(reason for each in self._in_sample for reason in each.findings()),
            *([Finding(Level.trust, "too_young", left_out)] if young else []),
            *([Finding(Level.trust, "not_clustered", apart)] if alone else []),
        ]


def labelled(decisions: Iterable[LoggedDecision], names: Sequence[str]) -> Iterator[LoggedDecision]:
    """Pass decisions on, with the label "" where one lacks what others can be grouped by.

    Raises
    ------
    NotAvailable
        In the end, when no decision had a label of this name.
    """
    asked = frozenset(names) - {DAY}  # every decision has a day
    if not asked:
        yield from decisions
        return
    missing, known = set(asked), set[str]()
    for decision in decisions:
        own = {*decision.labels, *decision.context}
        missing -= own
        known |= own
        absent = asked - own
        yield replace(decision, labels={**decision.labels, **dict.fromkeys(absent, "")}) if absent else decision
    if missing:
        raise NotAvailable(f"decisions have no label {min(missing)!r}; known are {', '.join(sorted(known))}")


def log_url(source: str) -> str | None:
    """Give the database URL that a source means: a URL itself, or a data directory; None for others."""
    if "://" in source:
        return source
    file = Path(source) / LOG_FILE
    return f"{_SQLITE}{file}" if file.exists() else None


def registry_url(source: str) -> str | None:
    """Give the registry beside a log: in the same directory; None where that is not known."""
    if source.startswith(_SQLITE):
        file = Path(source.removeprefix(_SQLITE)).parent / REGISTRY_FILE
    else:
        file = Path(source) / REGISTRY_FILE
    return f"{_SQLITE}{file}" if file.exists() else None


@contextmanager
def opened(url: str) -> Iterator[SqlLog]:
    """Open the service's log to read it.

    Raises
    ------
    LogUnreadable
        When it is not there, or cannot be read.
    """
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        raise LogUnreadable(f"there is no log at {url}")
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
        """Read the decisions of the role from the beginning."""
        with opened(self._url) as log:
            source = LogDecisions(log, ErasedShoppers.stored(log).key_of)
            for entry in source:
                if entry.role == self._role and entry.decision is not None:
                    yield entry.decision
            self.young = source.counts[YOUNG]
            if not source.counts[self._role]:
                raise NoData(_nothing(source, self._role))


def _nothing(source: LogDecisions, role: str) -> str:
    counts = source.counts
    return (
        f"the log holds no decision to evaluate with the role {role}: {counts[YOUNG]} are too young (an eligible "
        f"send could still earn something), {counts[CRITICAL]} critical, {counts[EVALUATED]} others, "
        f"{counts[NOT_EVALUATED]} degraded or held out"
    )


def file_reader(path: Path, role: str) -> Read:
    """Make a reader of an exported log or of dsjson."""
    if is_parquet(path):
        return lambda: read_log(path, role)
    if role == CRITICAL:
        raise NotAvailable("dsjson does not tell which decisions were critical: leave out --critical")
    return lambda: read_dsjson(path)
