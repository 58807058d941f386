"""The linger: whether the next batch waits a moment for the callers who got their answers just now.

Callers who ask again as soon as they are answered come right after a batch, and a batch with all of them costs less per
request. Requests that come at random times come no faster then than at any other time, and a wait for more of them
would only delay those that wait already. So the pipeline compares two rates, both of the last few batches: how fast
requests come while it lingers, and how fast they come while a batch is under way. It lingers as long as the first rate
is more than one and a half times the second one. If not, it lingers before one batch of 31 only, to see whether the
callers have changed.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_S = 0.004
"""How long the next batch waits at most."""

_TIMES_FASTER = 1.5
_TRIAL_EVERY = 31
"""An odd number: where batches of two sizes take turns, each size has its trial."""

_MEMORY = 0.7
"""How much of an observation counts at the next one: about three of them count."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the event loop, and how many requests had arrived until then."""

    time: float
    arrived: int


@dataclass
class _Rate:
    """Requests and seconds of the last few observations."""

    requests: float = 0.0
    seconds: float = 0.0

    def add(self, begin: Moment, end: Moment) -> None:
        self.requests = _MEMORY * self.requests + end.arrived - begin.arrived
        self.seconds = _MEMORY * self.seconds + end.time - begin.time


class Linger:
    """Says before which batches the pipeline lingers; the first linger is a trial."""

    def __init__(self) -> None:
        self._lingering, self._deciding = _Rate(), _Rate()
        self._declined = _TRIAL_EVERY - 1
        """How many lingers were declined since the last one."""

    def is_worth(self) -> bool:
        """Return whether the pipeline lingers before the next batch."""
        if self._is_followed() or self._declined == _TRIAL_EVERY - 1:
            self._declined = 0
            return True
        self._declined += 1
        return False

    def _is_followed(self) -> bool:
        """Return whether requests follow answers: they come faster while the pipeline lingers."""
        lingering, deciding = self._lingering, self._deciding
        return lingering.requests * deciding.seconds > _TIMES_FASTER * deciding.requests * lingering.seconds

    def note_linger(self, begin: Moment, end: Moment) -> None:
        """Note when a linger began and ended."""
        self._lingering.add(begin, end)

    def note_batch(self, begin: Moment, end: Moment) -> None:
        """Note when a batch began, and when its rows were logged."""
        self._deciding.add(begin, end)
