"""The service's log as decisions with their rewards, streamed in log order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from decision_service.evaluation.trusted_time import TrustedTime
from decision_service.log.base import EventLog, LogCorrupt, StoredRow
from decision_service.log.reading import read_rows
from offline_eval.errors import BadData, NoData
from offline_eval.logs.service_rows import check_row, decode_decision, row_label
from offline_eval.logs.tables.log import LogEntry
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decision_row import DEGRADED
from policies.learning.attribution import Attribution
from policies.learning.reward import reward_of
from policies.learning.windows import Owner, shopper_of_row
from policies.records.arms import HOLDOUT
from policies.records.rows import ACTIVATION_GRACE_S, CatalogueRow, ClockCorrectionRow, DecisionRow, OutcomeRow, Row

_ROWS_AT_ONCE = 2_000
YOUNG = "young"
"""The count of decisions that could still earn something."""

EVALUATED, CRITICAL, NOT_EVALUATED = "evaluated", "critical", "not_evaluated"
"""Roles of a decision in offline evaluation: critical ones are evaluated apart, degraded and held-out ones never."""


@dataclass
class _Waiting:
    """A decision that waits until its reward is final."""

    row: DecisionRow
    ready_at: float
    reward: float = 0.0
    delivered: bool = False


class LogDecisions:
    """Reads decisions in the order of the log, each with its reward by the attribution that the learner uses.

    A send that did not leave (lost race, cancelled, never activated, bounced, consent withdrawn) keeps its drawn joint
    action, with reward 0. A decision is yielded when the log has passed the last moment at which any of its eligible
    sends could have earned something, also a deferred send that is activated late. If only decisions with an open
    window of their own were left out, short delays and HOLD would be preferred. Decisions that are too young are
    counted.

    Memory holds the decisions of the longest delay plus window, for a log of any length. A clock that was ahead of its
    time, and was corrected, lets no decision pass early, and the decisions that it dated hold up no other.

    Parameters
    ----------
    log
        The log to read.
    owner
        Returns the shopper of a row, where shoppers may be erased while the log is read.
    """

    def __init__(self, log: EventLog, owner: Owner = shopper_of_row) -> None:
        self._log = log
        self._rulebooks: dict[int, Rulebook] = {}
        self._related_now: dict[str, list[tuple[int, Row]]] = {}
        self._attribution = Attribution(self._read_related, owner=owner)
        self._queue: deque[_Waiting] = deque()
        self._ahead: list[_Waiting] = []
        """Decisions dated by a clock that was ahead: they must not hold up those that follow."""
        self._time = TrustedTime(())
        self._open: dict[str, _Waiting] = {}
        self.counts: Counter[str] = Counter()
        """Number of decisions by role, and of `YOUNG` ones."""

    def __iter__(self) -> Iterator[LogEntry]:
        """Yield the decisions.

        Raises
        ------
        NoData
            When the log has no decision.
        BadData
            When no decision can have written a row, naming the event; when a row cannot be read, naming the position.
        LogUnavailable
            When the log cannot be read.
        """
        self._time = TrustedTime(read_rows(self._log, kinds=(ClockCorrectionRow.kind,)))
        for stored in read_rows(self._log, batch=_ROWS_AT_ONCE):
            self._fold(stored.position, _read(stored))
            yield from self._ready()
        self.counts[YOUNG] = len(self._queue) + len(self._ahead)
        if not sum(self.counts.values()):
            raise NoData("the log holds no decision")

    def _rulebook_of(self, row: DecisionRow) -> Rulebook:
        rulebook = self._rulebooks.get(row.catalogue_version)
        if rulebook is None:
            problem = f"is {row.catalogue_version}, a catalogue that the log has not come past"
            raise BadData("catalogue_version", problem, row_label(row))
        return rulebook

    def rulebook(self, version: int) -> Rulebook:
        """Return the rulebook of a catalogue version that has been read from the log."""
        return self._rulebooks[version]

    @property
    def catalogues(self) -> dict[int, Catalogue]:
        """The catalogues that have been read from the log, by version."""
        return {version: rulebook.catalogue for version, rulebook in self._rulebooks.items()}

    def _read_related(self, event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        related: dict[str, list[tuple[int, Row]]] = {}
        for row in self._log.find_by_event(event_ids):
            related.setdefault(row.event_id or "", []).append((row.position, _read(row)))
        self._related_now.update(related)
        return related

    def _fold(self, position: int, row: Row) -> None:
        self._time.move_to(position)
        if isinstance(row, CatalogueRow):
            self._rulebooks[row.version] = Rulebook.of(Catalogue.from_stored(row.document), row.version)
        if isinstance(row, DecisionRow):
            check_row(row, self._rulebook_of(row))
            waiting = _Waiting(row, self._ready_at(row))
            (self._queue if self._time.limit(row.at) == row.at else self._ahead).append(waiting)
            if row.is_delivered:
                self._open[row.event_id] = waiting
        self._related_now.clear()
        for interaction in self._attribution.advance(position, row):
            closed = self._open.pop(interaction.event_id, None)
            if closed is not None:
                closed.delivered = True
                closed.reward = self._reward(closed.row)

    def _reward(self, row: DecisionRow) -> float:
        """Return the reward from all outcomes in the log, late ones included."""
        outcomes = [other for _, other in self._related_now.get(row.event_id, ()) if isinstance(other, OutcomeRow)]
        rulebook = self._rulebooks[row.catalogue_version]
        cost = 0.0 if row.drawn is None else rulebook.cost(rulebook.space[row.drawn])
        return reward_of(outcomes, rulebook.catalogue.reward, cost).reward

    def _ready_at(self, row: DecisionRow) -> float:
        """Return the last moment at which any send of the catalogue could have earned something.

        A drawn HOLD does not say whether a send would have been deferred, so the time for activations always counts.
        """
        catalogue = self._rulebooks[row.catalogue_version].catalogue
        longest = max(channel.attribution_window_s for channel in catalogue.channels.values())
        return row.at + max(catalogue.delays_s) + ACTIVATION_GRACE_S + longest

    def _ready(self) -> Iterator[LogEntry]:
        time = self._time.limit(self._attribution.watermark)
        while self._queue and self._queue[0].ready_at <= time:
            yield self._entry(self._queue.popleft())
        for waiting in [waiting for waiting in self._ahead if waiting.ready_at <= time]:
            self._ahead.remove(waiting)
            yield self._entry(waiting)

    def _entry(self, waiting: _Waiting) -> LogEntry:
        row = waiting.row
        self._open.pop(row.event_id, None)
        role = role_of(row)
        self.counts[role] += 1
        if role == NOT_EVALUATED:
            return LogEntry(row, role, delivered=False, decision=None)
        rulebook = self._rulebooks[row.catalogue_version]
        return LogEntry(row, role, waiting.delivered, decode_decision(row, rulebook, waiting.reward))


def _read(stored: StoredRow) -> Row:
    try:
        return stored.row
    except LogCorrupt as error:
        raise BadData("body", f"is no row: {error.__cause__}", f"log position {stored.position}") from None


def role_of(row: DecisionRow) -> str:
    """Return the role of a decision in offline evaluation."""
    if row.hold_reason in (DEGRADED, HOLDOUT) or not row.probabilities:
        return NOT_EVALUATED
    return CRITICAL if row.is_critical else EVALUATED
