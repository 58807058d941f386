"""The intervals by name."""

from __future__ import annotations

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Limits
from offline_eval.intervals.base import Bounds, Interval
from offline_eval.intervals.bernstein import Bernstein
from offline_eval.intervals.bootstrap import Bootstrap
from offline_eval.intervals.clopper_pearson import ClopperPearson
from offline_eval.intervals.normal import Normal
from offline_eval.intervals.obp_bootstrap import ObpBootstrap

NAMES = ("normal", "bootstrap", "bootstrap-obp", "bernstein", "clopper-pearson", "sequence")

__all__ = [
    "NAMES",
    "Bernstein",
    "Bootstrap",
    "Bounds",
    "ClopperPearson",
    "Interval",
    "Normal",
    "ObpBootstrap",
    "named",
]


def named(name: str, *, limits: Limits, draws: int = 1_000, seed: int | None = None) -> Interval:
    """Make an interval by name; the confidence sequence is no such interval, as it follows single rows.

    Raises
    ------
    NotAvailable
        When there is none of this name, or it does not exist for these limits.
    """
    match name:
        case "normal":
            return Normal()
        case "bootstrap":
            return Bootstrap(draws, seed or 0)
        case "bootstrap-obp":
            return ObpBootstrap(draws, 12345 if seed is None else seed)
        case "bernstein":
            return Bernstein(limits)
        case "clopper-pearson":
            return ClopperPearson(limits)
    raise NotAvailable(f"there is no interval {name!r}; known are {', '.join(NAMES)}")
