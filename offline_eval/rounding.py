"""Rounding: what is 0 in exact arithmetic can come out slightly above or below 0.

A variance below 0 has no square root. A standard error that is nothing but rounding makes a distance that is nothing
but rounding look significant. So square roots of variances, and distances in standard errors, are taken here.
"""

from __future__ import annotations

from math import copysign, inf, sqrt

_RELATIVE = 1e-9


def root(figure: float) -> float:
    """Return the square root of a figure that is at least 0 in exact arithmetic; NaN stays NaN.

    >>> root(4.0), root(-1e-18), root(float("nan"))
    (2.0, 0.0, nan)
    """
    return sqrt(max(figure, 0.0))  # this order of the arguments keeps NaN


def standard_errors(distance: float, error: float, size: float = 1.0) -> float:
    """Return a distance in standard errors; 0 where the distance is rounding, infinite where the error alone is 0.

    Parameters
    ----------
    size
        The size of the numbers whose distance is taken.

    Examples
    --------
    >>> standard_errors(3.0, 0.5), standard_errors(3.0, 0.0), standard_errors(1e-17, 1e-18)
    (6.0, inf, 0.0)
    """
    if abs(distance) <= _RELATIVE * size:
        return 0.0
    return distance / error if error > 0 else copysign(inf, distance)
