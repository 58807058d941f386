"""Lookups: the events, keys and queries for which a batch of rows needs rows of the log, before it can be judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from decision_service.log.base import Appended, AppendResult, NewRow
from decision_service.log.condition import Query
from decision_service.log.keys import decision_key
from policies.records.rows import DecisionRow


class UntrustedKey(Exception):
    """A key that was taken for new may be in use: the batch must be judged again with all keys looked up."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """The names of the rows that a batch needs.

    Parameters
    ----------
    event_ids
        The events of which rows are needed that are not the event's decision.
    keys
        The keys of rows that are needed: of the new rows, and of the events' decisions.
    queries
        The queries about shoppers.
    trusted
        The numbers of the rows whose keys are taken for new and not looked up: those of decisions, because hardly any
        event is decided twice. The unique constraint finds a repeat, and then the batch is judged again.
    """

    event_ids: dict[str, None]
    keys: dict[str, None]
    queries: list[Query]
    trusted: list[int]

    @classmethod
    def of(cls, rows: Sequence[NewRow], *, trust_keys: bool = False) -> Lookups:
        """Return what rows need; with ``trust_keys``, decisions are taken for new."""
        lookups = cls({}, {}, [], [])
        for number, row in enumerate(rows):
            if trust_keys and row.kind == DecisionRow.kind and row.event_id and row.key == decision_key(row.event_id):
                lookups.event_ids[row.event_id] = None
                lookups.trusted.append(number)
            else:
                lookups._add(row)
            for query in row.condition.fail_if:
                if query.shoppers:
                    lookups.queries.append(query)
                if query.event_id is not None:
                    lookups._add_event(query.event_id)
        return lookups

    @classmethod
    def of_events(cls, event_ids: Iterable[str]) -> Lookups:
        """Return what finds all rows of events."""
        lookups = cls({}, {}, [], [])
        for event_id in event_ids:
            lookups._add_event(event_id)
        return lookups

    def check(self, results: Sequence[AppendResult]) -> None:
        """Check that the result of a trusted row does not depend on whether its key is in use.

        Raises
        ------
        UntrustedKey
            When a trusted row is not written: if its key is in use, the result must be the stored row.
        """
        if not all(isinstance(results[number], Appended) for number in self.trusted):
            raise UntrustedKey

    def _add(self, row: NewRow) -> None:
        if row.key is not None:
            self.keys[row.key] = None
        if row.event_id is not None:
            self._add_event(row.event_id)

    def _add_event(self, event_id: str) -> None:
        self.event_ids[event_id] = None
        self.keys[decision_key(event_id)] = None


def kinds_of(queries: Iterable[Query]) -> set[str]:
    """Return the kinds that queries name."""
    return set().union(*{query.kinds for query in queries})
