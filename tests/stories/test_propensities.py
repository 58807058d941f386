"""The service draws actions with the propensities that it reports: in 20,000 answers, and in 20,000 logged rows."""

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

DECISIONS, BATCH_SIZE = 20_000, 1_000


async def decide_in_batches(
    service: Replica, bodies: list[dict[str, Any]], batch_size: int = BATCH_SIZE
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    for first in range(0, len(bodies), batch_size):
        response = await service.post("/v1/decide/batch", {"decisions": bodies[first : first + batch_size]})
        answers += response.json()["results"]
    return answers


async def test_served_frequencies_equal_stated_propensities(replica: Start) -> None:
    """A chi-square test over dry runs in one state, after two days of learning. Its false-alarm rate is 1e-5.

    `tests.policies.test_decide` has the same law for every policy, without the service.
    """
    async with replica() as service:
        await live(service, 2)
        rows = service.rows()
        triggers = [{"type": "cart_abandoned", "attributes": {"product": "Runner 3", "price": 59.9}}]
        body = decide_body(now=iso(50), dry_run=True, shopper_id="asked", triggers=triggers)
        bodies = [body | {"event_id": f"dry-{number}"} for number in range(DECISIONS)]
        answers = await decide_in_batches(service, bodies)
        assert service.rows() == rows
    counts = Counter(str(answer["action"]) for answer in answers)
    propensities = {str(answer["action"]): answer["propensity"] for answer in answers}
    assert all(answer["propensity"] == propensities[str(answer["action"])] for answer in answers)
    assert len(propensities) == answers[0]["eligible"] > 20
    assert math.isclose(sum(propensities.values()), 1.0)
    assert frequencies_equal(counts, propensities)


async def test_a_service_with_a_hold_share_states_it_in_the_propensities(replica: Start) -> None:
    held = []
    for share in (0.0, 0.1):
        async with replica(policy="uniform", hold_share=share) as service:
            await service.decide(event_id=f"e-{share}", shopper_id=f"s-{share}")
            inspected = (await service.client.get(f"/v1/decisions/e-{share}")).json()["distribution"]
        assert math.isclose(sum(entry["probability"] for entry in inspected), 1.0)
        held += [entry["probability"] for entry in inspected if entry.get("hold")]
    assert math.isclose(held[1], 0.9 * held[0] + 0.1)


async def test_the_uniform_targets_mean_importance_weight_over_logged_rows_is_one(replica: Start) -> None:
    """A z-test, |z| < 4, over the rows of a policy that learns, with caps that bind. Its false-alarm rate is 6e-5."""
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
            for number in range(DECISIONS)
        ]
        # Batches so small that they cannot use up a daily budget: the service decides their items in parallel.
        await decide_in_batches(service, bodies, batch_size=50)
        stored = service.service.log.read(0, 1_000_000)
    rows = [row for row in (decode(stored_row.body) for stored_row in stored) if isinstance(row, DecisionRow)]
    assert {row.hold_reason for row in rows} >= {None, "no_eligible_action"}
    weights = [1 / len(unpack(row.probabilities, np.float64)) / row.propensity for row in rows if row.propensity]
    assert len(weights) == len(rows) >= DECISIONS
    error = np.std(weights) / math.sqrt(len(weights))
    assert 0 < error < 0.2
    assert abs(np.mean(weights) - 1) < 4 * error


def test_different_frequencies_are_detected() -> None:
    assert frequencies_equal({"a": 520, "b": 480}, {"a": 0.5, "b": 0.5})
    assert not frequencies_equal({"a": 600, "b": 400}, {"a": 0.5, "b": 0.5})
