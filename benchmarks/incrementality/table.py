"""The results about incrementality, as measurements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.incrementality.measuring import WorldLog
from decision_service.cli.measurements import Measured
from policies.learning.incrementality.contrast import Estimate

NOTE = """\
The business rule decides, with its floor and the hold share. `share` is the factor as the log tells it: incremental ÷
credited orders, in the attribution windows of the sends. `true_share` is known to the simulator alone: the orders that
the sends caused in these windows, as far as they were reported to the shop, ÷ the credited orders. `factor` is the
share, clipped to 0 to 1 and shrunk to a `view_through` of 1 with the weight of 30 orders. `orders_of_evidence` are the
credited orders that the comparison is worth: there are fewer holds than sends.
"""


def to_measurements(logs: Sequence[WorldLog]) -> list[Measured]:
    """Return the estimates of each world beside the truth."""
    return [measured for log in logs for measured in _of_world(log)]


def _of_world(log: WorldLog) -> Iterator[Measured]:
    pooled, name = log.pooled, f"incrementality.{log.name.replace('-', '_')}"
    share, orders, revenue = pooled.share(), pooled.incremental_orders(), pooled.incremental_revenue()
    yield _measure(f"{name}.share", share, "of credited orders")
    yield Measured(f"{name}.true_share", log.true_share, unit="of credited orders")
    yield Measured(f"{name}.holds_truth", float(share.low <= log.true_share <= share.high), unit="1: in the interval")
    yield Measured(f"{name}.factor", pooled.factor(1.0), unit="of credited orders")
    yield Measured(f"{name}.orders_of_evidence", pooled.evidence, unit="credited orders")
    yield Measured(f"{name}.credited_orders", float(pooled.credited_orders), unit="orders")
    yield _measure(f"{name}.incremental_orders", orders, "orders")
    yield Measured(f"{name}.caused_orders", float(log.caused), unit="orders, the truth")
    yield Measured(f"{name}.credited_revenue", pooled.credited_revenue, unit="money")
    yield _measure(f"{name}.incremental_revenue", revenue, "money")
    yield Measured(f"{name}.sends", float(pooled.sends), unit="drawn sends")
    yield Measured(f"{name}.holds", pooled.holds, unit="effective holds")


def _measure(name: str, estimate: Estimate, unit: str) -> Measured:
    return Measured(name, estimate.value, estimate.low, estimate.high, unit)
