"""A `PolicySource` (see `shops.local`) that learns as the service does: the same fold over the same rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from policies.catalogue.rulebook import Rulebook
from policies.learning.fold import Learning
from policies.models.policy import Policy, PolicyFactory
from policies.records.rows import CatalogueRow, ClockRow, DecisionRow, OutcomeRow, Row
from simulators.shops.base import Arrival

_ROWS_OF_EVENTS = (DecisionRow, OutcomeRow)


class LearningPolicy:
    """Folds rows. When the clock advances, makes a new version if something was learned since the last one.

    Parameters
    ----------
    rulebook
        The catalogue of the shop.
    factory
        A kind of policy that learns. The service makes its policies and its learner with the same one.

    Raises
    ------
    ValueError
        When the policy does not learn.
    """

    def __init__(self, rulebook: Rulebook, factory: PolicyFactory) -> None:
        if factory.learning is None:
            raise ValueError(f"the policy {factory.name!r} does not learn")
        self._rulebook = rulebook
        self._make_version = factory.learning.make_version
        self._rows: dict[str, list[tuple[int, Row]]] = defaultdict(list)
        self._learning = Learning(self._rows_of_events, factory.learning.make_learner)
        self._learned_since_version = 0
        self._version = 0
        self._policy = factory.make(rulebook)
        self.fold(CatalogueRow(0.0, rulebook.version, rulebook.catalogue.to_document()))

    @property
    def learned_count(self) -> int:
        """The number of interactions that the model has learned from."""
        return self._learning.learned

    def _rows_of_events(self, event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        return {event_id: self._rows[event_id] for event_id in event_ids if event_id in self._rows}

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        return self._policy

    def fold(self, row: Row) -> None:
        position = self._learning.position + 1
        # `Learning` looks up rows by event id. No other kind of row that a simulation makes has an event id.
        if isinstance(row, _ROWS_OF_EVENTS):
            self._rows[row.event_id].append((position, row))
        self._learned_since_version += len(self._learning.fold(position, row))

    def advance_clock(self, now: float) -> None:
        """Close the attribution windows that have ended by now. Make a new version if something was learned."""
        if now > self._learning.attribution.watermark:
            self.fold(ClockRow(now))
        if self._learned_since_version:
            self._version += 1
            self._policy = self._make_version(self._learning.publish(), self._rulebook, self._version)
            self._learned_since_version = 0
