"""What the service says it drew with is what it draws with: over 20,000 answers, and over 20,000 rows."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from policies.records.rows import DecisionRow, decode, unpack
from tests.chi_square import frequencies_equal
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.decision_service.learning.test_learner import iso, live

pytestmark = pytest.mark.anyio

ANSWERS, AT_ONCE = 20_000, 1_000


async def answers(service: Replica, bodies: list[dict[str, Any]], at_once: int = AT_ONCE) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for first in range(0, len(bodies), at_once):
        answer = await service.post("/v1/decide/batch", {"decisions": bodies[first : first + at_once]})
        told += answer.json()["results"]
    return told


@pytest.mark.parametrize("policy", ["uniform", "default"])
async def test_served_frequencies_equal_stated_propensities(replica: Start, policy: str) -> None:
    """Chi-square over dry runs in one state, after two days of learning; the false-alarm rate is 1e-5."""
    async with replica(policy=policy) as service:
        await live(service, 2)
        rows = service.rows()
        triggers = [{"type": "cart_abandoned", "attributes": {"product": "Runner 3", "price": 59.9}}]
        body = decide_body(now=iso(50), dry_run=True, shopper_id="asked", triggers=triggers)
        told = await answers(service, [body | {"event_id": f"dry-{number}"} for number in range(ANSWERS)])
        assert service.rows() == rows
    counts = Counter(str(each["action"]) for each in told)
    stated = {str(each["action"]): each["propensity"] for each in told}
    assert len({(str(each["action"]), each["propensity"]) for each in told}) == len(stated)
    assert len(stated) == told[0]["eligible"] > 20
    assert math.isclose(sum(stated.values()), 1.0)
    assert frequencies_equal(counts, stated)


async def test_the_uniform_targets_mean_importance_weight_over_logged_rows_is_one(replica: Start) -> None:
    """Rows of a policy that learns, with caps that bind: |z| < 4, false-alarm rate 6e-5."""
    async with replica() as service:
        await live(service, 2)
        kinds = ["cart_abandoned", "wishlist", "post_purchase", "price_drop"]
        bodies = [
            decide_body(
                event_id=f"w-{number}",
                shopper_id=f"w-{number % 4_000}",
                triggers=[{"type": kinds[number % len(kinds)], "attributes": {"product": "Runner 3"}}],
                now=iso(50 + number / 1_000),
            )
            for number in range(ANSWERS)
        ]
        await answers(service, bodies, 50)  # so few cannot use up a day's budget, and go side by side
        stored = service.service.log.read(0, 1_000_000)
    rows = [row for row in (decode(each.body) for each in stored) if isinstance(row, DecisionRow)]
    assert {row.hold_reason for row in rows} >= {None, "no_eligible_action"}
    weights = [1 / len(unpack(row.probabilities, np.float64)) / row.propensity for row in rows if row.propensity]
    assert len(weights) == len(rows) >= ANSWERS
    error = np.std(weights) / math.sqrt(len(weights))
    assert 0 < error < 0.2
    assert abs(np.mean(weights) - 1) < 4 * error


def test_frequencies_that_differ_are_told_apart() -> None:
    assert frequencies_equal({"a": 520, "b": 480}, {"a": 0.5, "b": 0.5})
    assert not frequencies_equal({"a": 600, "b": 400}, {"a": 0.5, "b": 0.5})
