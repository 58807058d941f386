"""From the windows of all rounds to one number with its range."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.speed.ranges import median
from benchmarks.speed.serving.window import Window
from decision_service.cli.measurements import Measured

Quantity = Callable[[Window], float]


def ratio(
    name: str, above: Sequence[Window], below: Sequence[Window], quantity: Quantity, unit: str, below_too: float = 0.0
) -> Measured:
    """Return the median over the rounds of a ratio of two points in the same round.

    Parameters
    ----------
    above, below
        The windows of the two points.
    quantity
        What is compared.
    below_too
        Added to what stands below.
    """
    pairs = zip(above, below, strict=True)
    return median(name, [quantity(one) / ((quantity(other) + below_too) or 1e-9) for one, other in pairs], unit)


def replica_us(window: Window) -> float:
    """Return the CPU time of the replicas per decision or request."""
    return window.cpu_us("replica")


def per_s(window: Window) -> float:
    """Return decisions or requests per second."""
    return window.per_s


def p50_ms(window: Window) -> float:
    """Return the median latency."""
    return window.latency_ms(0.5)


def p99_ms(window: Window) -> float:
    """Return the latency that one request of a hundred exceeds."""
    return window.latency_ms(0.99)
