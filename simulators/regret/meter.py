"""Meters: a shop and a policy source that measure how long they decide and learn, and what they know."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.decision import Decision
from policies.models.policy import Policy
from policies.records.rows import Row
from simulators.regret.uniform_probe import UniformProbe
from simulators.shops.base import Arrival
from simulators.shops.local import LocalShop, PolicySource

Clock = Callable[[], float]
"""Returns seconds, as `time.process_time` does."""


class MeteredSource:
    """A policy source that measures how long it learns: ``seconds`` since its beginning."""

    def __init__(self, source: PolicySource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self.seconds = 0.0

    def policy_for(self, arrivals: Sequence[Arrival]) -> Policy:
        return self._source.policy_for(arrivals)

    def fold(self, row: Row) -> None:
        begin = self._clock()
        self._source.fold(row)
        self.seconds += self._clock() - begin

    def advance_clock(self, now: float) -> None:
        begin = self._clock()
        self._source.advance_clock(now)
        self.seconds += self._clock() - begin


class MeteredShop(LocalShop):
    """A shop of this process that measures how long it decides and learns, and lets a probe look at its decisions."""

    def __init__(
        self, source: PolicySource, rulebook: Rulebook, seed: bytes, clock: Clock, probe: UniformProbe
    ) -> None:
        self._metered_source = MeteredSource(source, clock)
        self._clock = clock
        self._probe = probe
        self._last: list[Decision] = []
        self._seconds = 0.0
        super().__init__(self._metered_source, rulebook, seed)

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        learned, begin = self._metered_source.seconds, self._clock()
        actions = super().decide(arrivals)
        self._seconds += self._clock() - begin - (self._metered_source.seconds - learned)
        self._probe.draw(self._last)
        self._probe.look(arrivals)
        self._last = []
        return actions

    def _record(self, decisions: Sequence[Decision]) -> None:
        super()._record(decisions)
        self._last += decisions

    @property
    def decide_us(self) -> float:
        """Microseconds per decision, without learning."""
        return self._per_decision_us(self._seconds)

    @property
    def learn_us(self) -> float:
        """Microseconds of learning per decision: the fold of all rows, and the models that are made of it."""
        return self._per_decision_us(self._metered_source.seconds)

    def _per_decision_us(self, seconds: float) -> float:
        return 1e6 * seconds / max(1, len(self.decision_rows))
