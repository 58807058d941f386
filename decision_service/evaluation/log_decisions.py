"""The service's log as decisions with their rewards, streamed in log order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from decision_service.log.base import EventLog, LogRow
from offline_eval.errors import BadData, NoData
from offline_eval.logs.recorded import check_row, decision_of, place_of
from offline_eval.logs.tables.log import LogEntry
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decision_row import DEGRADED, HOLDOUT
from policies.learning.attribution import Attribution
from policies.learning.reward import reward_of
from policies.learning.windows import Owner, shopper_of_row
from policies.records.rows import ACTIVATION_GRACE_S, CatalogueRow, DecisionRow, OutcomeRow, Row, decode

_ROWS_AT_ONCE = 2_000
YOUNG = "young"
"""What decisions are counted under that could still earn something."""

EVALUATED, CRITICAL, NOT_EVALUATED = "evaluated", "critical", "not_evaluated"
"""Roles of a decision in offline evaluation: critical ones are evaluated apart, degraded and held out ones not."""


@dataclass
class _Waiting:
    """A decision until everything that it could have earned is known."""

    row: DecisionRow
    ready_at: float
    reward: float = 0.0
    delivered: bool = False


class LogDecisions:
    """Reads decisions in the order of the log, each with the reward that the learner's own attribution gives it.

    A send that did not leave (lost race, cancelled, never activated, bounced, consent withdrawn) counts as what
    was drawn, with reward 0. A decision is given once the log has come past the last moment at which any of its
    eligible sends could still have earned something, deferred ones activated late included: leaving out only those
    whose own window is open would prefer short delays, and HOLD. What is too young is counted.

    Memory holds the decisions of the longest delay and window, however long the log.

    Parameters
    ----------
    log
        What is read.
    owner
        Tells to whom rows belong, where shoppers may be erased while the log is read.
    """

    def __init__(self, log: EventLog, owner: Owner = shopper_of_row) -> None:
        self._log = log
        self._rulebooks: dict[int, Rulebook] = {}
        self._related_now: dict[str, list[tuple[int, Row]]] = {}
        self._attribution = Attribution(self._related, owner=owner)
        self._queue: deque[_Waiting] = deque()
        self._open: dict[str, _Waiting] = {}
        self.counts: Counter[str] = Counter()
        """Decisions by role, and `YOUNG` ones."""

    def __iter__(self) -> Iterator[LogEntry]:
        """Stream the decisions.

        Raises
        ------
        NoData
            When the log has no decision.
        BadData
            When a row cannot have been written by a decision, named by event, or cannot be read, by position.
        LogUnavailable
            When it cannot be read.
        """
        after = 0
        while rows := self._log.read(after, _ROWS_AT_ONCE):
            for stored in rows:
                self._fold(stored.position, _read(stored))
                yield from self._ready()
            after = rows[-1].position
        self.counts[YOUNG] = len(self._queue)
        if not sum(self.counts.values()):
            raise NoData("the log holds no decision")

    def _rulebook_of(self, row: DecisionRow) -> Rulebook:
        found = self._rulebooks.get(row.catalogue_version)
        if found is None:
            absent = f"is {row.catalogue_version}, a catalogue that the log has not come past"
            raise BadData("catalogue_version", absent, place_of(row))
        return found

    def rulebook(self, version: int) -> Rulebook:
        """Give a catalogue version that the log has come past."""
        return self._rulebooks[version]

    @property
    def catalogues(self) -> dict[int, Catalogue]:
        """The catalogues that the log has come past."""
        return {version: rulebook.catalogue for version, rulebook in self._rulebooks.items()}

    def _related(self, event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        found: dict[str, list[tuple[int, Row]]] = {}
        for row in self._log.of_events(event_ids):
            found.setdefault(row.event_id or "", []).append((row.position, _read(row)))
        self._related_now.update(found)
        return found

    def _fold(self, position: int, row: Row) -> None:
        if isinstance(row, CatalogueRow):
            self._rulebooks[row.version] = Rulebook.of(Catalogue.from_document(row.document), row.version)
        if isinstance(row, DecisionRow):
            check_row(row, self._rulebook_of(row))
            waiting = _Waiting(row, self._ready_at(row))
            self._queue.append(waiting)
            if row.is_delivered:
                self._open[row.event_id] = waiting
        self._related_now.clear()
        for interaction in self._attribution.advance(position, row):
            closed = self._open.pop(interaction.event_id, None)
            if closed is not None:
                closed.delivered = True
                closed.reward = self._reward(closed.row)

    def _reward(self, row: DecisionRow) -> float:
        """Give the reward by all outcomes that the log knows, late ones included."""
        outcomes = [each for _, each in self._related_now.get(row.event_id, ()) if isinstance(each, OutcomeRow)]
        rulebook = self._rulebooks[row.catalogue_version]
        cost = 0.0 if row.drawn is None else rulebook.cost(rulebook.space[row.drawn])
        return reward_of(outcomes, rulebook.catalogue.reward, cost).reward

    def _ready_at(self, row: DecisionRow) -> float:
        """Give the last moment at which any send of the catalogue could have earned something.

        A drawn HOLD does not tell whether a send would have been deferred, so activations are waited for always.
        """
        catalogue = self._rulebooks[row.catalogue_version].catalogue
        longest = max(channel.attribution_window_s for channel in catalogue.channels.values())
        return row.at + max(catalogue.delays_s) + ACTIVATION_GRACE_S + longest

    def _ready(self) -> Iterator[LogEntry]:
        while self._queue and self._queue[0].ready_at <= self._attribution.watermark:
            waiting = self._queue.popleft()
            self._open.pop(waiting.row.event_id, None)
            yield self._told(waiting)

    def _told(self, waiting: _Waiting) -> LogEntry:
        row = waiting.row
        role = role_of(row)
        self.counts[role] += 1
        if role == NOT_EVALUATED:
            return LogEntry(row, role, delivered=False, decision=None)
        rulebook = self._rulebooks[row.catalogue_version]
        return LogEntry(row, role, waiting.delivered, decision_of(row, rulebook, waiting.reward))


def _read(stored: LogRow) -> Row:
    try:
        return decode(stored.body)
    except msgspec.MsgspecError as error:
        raise BadData("body", f"is no row: {error}", f"log position {stored.position}") from None


def role_of(row: DecisionRow) -> str:
    """Tell which part a decision has in offline evaluation."""
    if row.hold_reason in (DEGRADED, HOLDOUT) or not row.probabilities:
        return NOT_EVALUATED
    return CRITICAL if row.is_critical else EVALUATED
