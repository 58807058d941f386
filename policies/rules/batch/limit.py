"""Limits: what rules about other sends say, as numbers.

Caps, gaps, cooldowns and suppression windows are of one kind. If so many sends with a name lie in one window, no send
with a name may be added to the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from policies.catalogue.document import Calendar, Cap
from policies.catalogue.rulebook import Rulebook

Kind = Literal["message", "category", "channel", "all"]
Name = tuple[Kind, str]
"""The name of a message, of a category or of a channel, or `ALL`."""

ALL: Name = ("all", "")
"""Stands for every send."""


@dataclass(frozen=True)
class Limit:
    """Denies sends of the name ``denied`` beside ``most`` sends of the name ``counted``.

    A window from the first to the last of so many sends in a row denies the times between ``before_s`` before the last
    and ``after_s`` after the first, both excluded. A length of 0 on one side denies no time on this side, but the time
    of the send itself; a limit with 0 on both sides denies nothing. With a ``calendar`` instead, a local day, week or
    month that has so many sends is denied.
    """

    counted: Name
    denied: Name
    most: int = 1
    before_s: float = 0.0
    after_s: float = 0.0
    calendar: Calendar | None = None

    @classmethod
    def of_cap(cls, name: Name, cap: Cap) -> Limit:
        """Return a cap as a limit."""
        window_s = cap.window_s or 0
        return cls(name, name, cap.max, window_s, window_s, cap.calendar)

    @classmethod
    def of_gap(cls, name: Name, gap_s: float) -> Limit:
        """Return the distance that two sends of a name keep as a limit."""
        return cls(name, name, before_s=gap_s, after_s=gap_s)


Limits = Callable[[Rulebook], Iterable[Limit]]
RankedLimits = Sequence[tuple[int, Limit]]
"""Limits with the ranks of their rules."""
