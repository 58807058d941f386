"""Logs as sources of batches: the decisions that a reader yields, with a target policy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from decision_service.database.sqlite_url import find_file, make_url
from decision_service.evaluation.in_sample import InSampleCheck
from decision_service.evaluation.options import MODELS, EvaluateOptions
from decision_service.evaluation.readers import Reader
from decision_service.evaluation.targets import Targets
from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.history import HistoryCheck
from offline_eval.diagnostics.verdict import Finding, Level
from offline_eval.errors import NoData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.question import Question
from offline_eval.reports.report import DAY
from offline_eval.reward_models import LogModel
from offline_eval.sequential.trajectories import Trajectories
from offline_eval.slots import check_slots
from offline_eval.weighing import Predict, Weighing

LOG_FILE, REGISTRY_FILE = "decisions.sqlite", "models.sqlite"
_SCHEME = re.compile(r"[a-z][a-z0-9+]*://")


class LogSource:
    """A log with a target: read once to fit the reward model, where one is needed, and once to evaluate.

    Parameters
    ----------
    read
        Reads the log's decisions.
    targets
        Makes target policies.
    question, options
        What to compute, and on which decisions of the log.

    Raises
    ------
    NotAvailable
        When an option has a value that is not allowed.
    """

    def __init__(self, read: Reader, targets: Targets, question: Question, options: EvaluateOptions) -> None:
        if options.model not in MODELS:
            raise NotAvailable(f"there is no reward model {options.model!r}; known are {', '.join(MODELS)}")
        self.name = read.name
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
        without, total = self._have_shopper[False], self._have_shopper.total()
        not_clustered = (
            f"{without:,} of {total:,} decisions name no shopper: they are taken as independent of all others"
        )
        return [
            *self._history.findings(is_logging=self._target == "logging"),
            *(finding for check in self._in_sample for finding in check.findings()),
            *self._read.findings(),
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
        raise NotAvailable(f"decisions have no label {min(missing)!r}; known are {', '.join(sorted(known)) or 'none'}")


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
