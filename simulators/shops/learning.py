"""A mind that learns as the service does: the same fold over the same rows, published when time is set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from policies.catalogue.rulebook import Rulebook
from policies.learning.fold import Learning
from policies.models.compiled import ModelSnapshot
from policies.models.learned import empty_snapshot
from policies.models.policy import Policy
from policies.records.rows import CatalogueRow, ClockRow, DecisionRow, OutcomeRow, Row
from simulators.shops.base import Arrival

MakePolicy = Callable[[ModelSnapshot, Rulebook, int], Policy]
"""Makes the policy to serve of a model version."""


class LearningPolicy:
    """Folds rows as they come and serves a new version at every `reach` after which something was learned.

    Parameters
    ----------
    make_policy
        As the service makes it.
    """

    def __init__(self, rulebook: Rulebook, make_policy: MakePolicy) -> None:
        self._rulebook = rulebook
        self._make_policy = make_policy
        self._rows: dict[str, list[tuple[int, Row]]] = defaultdict(list)
        self._learning = Learning(self._related)
        self._unpublished = 0
        self._version = 0
        self._policy = make_policy(empty_snapshot(rulebook.catalogue.reward), rulebook, 0)
        self.take(CatalogueRow(0.0, rulebook.version, rulebook.catalogue.to_document()))

    @property
    def learned(self) -> int:
        """How many interactions were learned."""
        return self._learning.learned

    def _related(self, event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        return {event_id: self._rows[event_id] for event_id in event_ids if event_id in self._rows}

    def policy(self, arrival: Arrival) -> Policy:
        """Give the policy of the version served."""
        return self._policy

    def take(self, row: Row) -> None:
        """Fold a row."""
        position = self._learning.position + 1
        if isinstance(row, DecisionRow | OutcomeRow):
            self._rows[row.event_id].append((position, row))
        self._unpublished += len(self._learning.fold(position, row))

    def reach(self, now: float) -> None:
        """Let windows close, and serve what was learned."""
        if now > self._learning.attribution.watermark:
            self.take(ClockRow(now))
        if self._unpublished:
            self._version += 1
            self._policy = self._make_policy(self._learning.snapshot(), self._rulebook, self._version)
            self._unpublished = 0
