"""A catalogue that looks further back: the states are folded again before it decides anything."""

from __future__ import annotations

from typing import Any

import pytest

from decision_service.projection.verification import Verification
from policies.rules.rules import RULES
from policies.shopper.state import HORIZON_S
from tests.decision_service.conftest import Replica, Start
from tests.factories import DAY_S, small_document

pytestmark = pytest.mark.anyio

DAYS = 400


def far_document() -> dict[str, Any]:
    document = small_document(delays_s=[0])
    document["messages"]["reminder"] |= {"cooldown_s": DAYS * 86_400}
    return document


async def send_for_months(service: Replica) -> None:
    """One reminder, and months later so many hints that the state forgets the reminder."""
    only = {"exclude": [{"message": "hint"}, {"channel": "email"}]}
    assert (await service.decide(event_id="old", now="2026-01-01T12:00:00Z", **only))["decision"] == "send"
    hints = {"exclude": [{"message": "reminder"}, {"channel": "email"}]}
    for day in range(1, 29):  # the policy draws HOLD now and then
        await service.decide(event_id=f"e-{day}", now=f"2026-06-{day:02}T12:00:00Z", **hints)


async def kept_events(service: Replica) -> list[str]:
    parts = service.service
    state = (await parts.store.read(parts.shopper_keys.key("s-1"))).state
    return [send.event_id for send in state.sends]


async def excluded_reasons(service: Replica, event_id: str) -> set[str]:
    answer = await service.decide(event_id=event_id, now="2026-07-01T12:00:00Z", exclude=[{"message": "hint"}])
    return {entry["reason"] for entry in answer["excluded"]}


async def differences(service: Replica) -> tuple[str, ...]:
    parts = service.service
    return (await Verification(parts.log, parts.store, parts.shopper_keys).run()).differences


async def test_a_put_that_reaches_further_finds_sends_that_the_states_had_dropped(replica: Start) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        await send_for_months(service)
        assert "old" not in await kept_events(service)
        assert (await service.client.put("/v1/catalog", json=far_document())).status_code == 200
        assert "old" in await kept_events(service)
        assert await excluded_reasons(service, "again") == {"excluded_by_caller", "cooldown"}
        assert await differences(service) == ()
        assert (await service.client.put("/v1/catalog", json=small_document(delays_s=[0]))).status_code == 200
        assert "old" in await kept_events(service), "states that reach further stay"
        assert await differences(service) == ()


async def test_a_start_with_a_catalogue_that_reaches_further_folds_the_states_again(replica: Start) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        await send_for_months(service)
    for _ in range(2):
        async with replica(far_document(), policy="rule") as service:
            assert "old" in await kept_events(service)
            assert service.service.store.horizon_s == DAYS * DAY_S
            assert await differences(service) == ()


async def test_another_replica_decides_nothing_before_its_states_reach_as_far(replica: Start) -> None:
    document = small_document(delays_s=[0])
    async with replica(document, policy="rule") as one, replica(document, policy="rule") as two:
        await send_for_months(one)
        await two.service.recovery.stop()  # it does not look at the store by itself
        assert two.service.store.horizon_s == HORIZON_S
        await one.client.put("/v1/catalog", json=far_document())
        await two.service.versions.refresh()
        assert RULES.reach_s(two.service.rulebook) == DAYS * DAY_S
        held = await two.decide(event_id="other", now="2026-07-01T12:00:00Z")
        assert held["hold_reason"] == "degraded"
        await two.service.recovery.check()
        await two.service.recovery.check()
        assert await excluded_reasons(two, "again") == {"excluded_by_caller", "cooldown"}
        assert await differences(one) == ()
