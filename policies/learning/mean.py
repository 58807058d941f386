"""A mean that can be corrected, and that is shrunk while little is known."""

from __future__ import annotations

import msgspec

_PRIOR_COUNT = 10.0
"""How many values the prior of a mean counts for."""


class Mean(msgspec.Struct, frozen=True, array_like=True):
    """A mean that can be corrected.

    >>> Mean().plus(3.0).plus(5.0).plus(3.0, -1.0)
    Mean(count=1.0, total=5.0)
    """

    count: float = 0.0
    total: float = 0.0

    def plus(self, value: float, count: float = 1.0) -> Mean:
        """Add a value, or take one back with ``count`` -1."""
        return Mean(self.count + count, self.total + count * value)

    def towards(self, prior: float) -> float:
        """Return the mean shrunk towards a prior."""
        return (self.total + _PRIOR_COUNT * prior) / (self.count + _PRIOR_COUNT)
