"""Readers of logs: the service's database, exported logs and dsjson, always from the beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Protocol

from decision_service.database.sqlite_url import find_file
from decision_service.evaluation.log_decisions import CRITICAL, EVALUATED, NOT_EVALUATED, YOUNG, LogDecisions
from decision_service.log.base import LogUnavailable
from decision_service.log.sql import SqlLog
from decision_service.projection.erased_shoppers import ErasedShoppers
from offline_eval.diagnostics.verdict import Finding, Level
from offline_eval.errors import EvaluationError, NoData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.dsjson.lines import describe_skipped
from offline_eval.logs.dsjson.reading import read_dsjson
from offline_eval.logs.files import LogFile
from offline_eval.logs.kinds import Kind
from offline_eval.logs.tables.log import read_log


class LogUnreadable(EvaluationError):
    """The service's log cannot be read."""


class Reader(Protocol):
    """Reads a log from its beginning."""

    name: str
    """The name of the log in reports."""

    def __call__(self) -> Iterator[LoggedDecision]:
        """Yield the log's decisions; may raise every `EvaluationError`."""
        ...

    def findings(self) -> list[Finding]:
        """Return what was left out when the log was last read to its end."""
        ...


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

    name = "the log of the service"

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

    def findings(self) -> list[Finding]:
        """Return how many decisions are too young."""
        text = f"{self.young} decisions are left out, as an eligible send could still earn something"
        return [Finding(Level.trust, "too_young", text)] if self.young else []


def _describe_counts(counts: Counter[str], role: str) -> str:
    return (
        f"the log holds no decision to evaluate with the role {role}: {counts[YOUNG]} are too young (an eligible "
        f"send could still earn something), {counts[CRITICAL]} critical, {counts[EVALUATED]} others, "
        f"{counts[NOT_EVALUATED]} degraded or held out"
    )


class FileReader:
    """Reads exported logs, or dsjson, of one file or of several in their order.

    Raises
    ------
    NotAvailable
        When critical decisions of dsjson are asked for.
    """

    def __init__(self, files: Sequence[LogFile], kind: Kind, role: str) -> None:
        if kind is Kind.dsjson and role == CRITICAL:
            raise NotAvailable("dsjson does not tell which decisions were critical: leave out --critical")
        self.name = describe_files(files)
        self._files, self._kind, self._role = files, kind, role
        self._skipped: Counter[str] = Counter()

    def __call__(self) -> Iterator[LoggedDecision]:
        """Yield the decisions of the role."""
        self._skipped.clear()
        is_empty, numbers = True, count(1)
        for file in self._files:
            for decision in self._read(file, numbers):
                is_empty = False
                yield decision
        if is_empty:
            of_role = f" with the role {self._role}" if self._kind is Kind.log else ""
            skipped = describe_skipped(self._skipped)
            raise NoData(f"{self.name} holds no decision{of_role}{skipped and f'; {skipped}'}")

    def _read(self, file: LogFile, numbers: Iterator[int]) -> Iterator[LoggedDecision]:
        return read_log(file, self._role) if self._kind is Kind.log else read_dsjson(file, self._skipped, numbers)

    def findings(self) -> list[Finding]:
        """Return how many lines were skipped."""
        text = describe_skipped(self._skipped)
        return [Finding(Level.trust, "skipped_lines", text)] if text else []


def describe_files(files: Sequence[LogFile]) -> str:
    """Return the name of the files in reports."""
    others = len(files) - 1
    more = f" and {others} more file{'s' * (others > 1)}" if others else ""
    return f"{files[0].name}{more}"
