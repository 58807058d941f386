"""What docs/preferences.md says of receipts and of dates is true of the service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.decision_service.conftest import Replica, Start

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "preferences.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
CATALOGUE: dict[str, Any] = next(block for block in BLOCKS if "messages" in block)
PATH = "/v1/shoppers/s-1/preferences"


async def put(service: Replica, second: int, **changes: Any) -> Any:
    answer = await service.client.put(PATH, json=changes | {"now": f"2026-11-21T17:00:{second:02}Z"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ask(service: Replica, trigger: str, second: int) -> dict[str, Any]:
    at = f"2026-11-21T17:00:{second:02}Z"
    return await service.decide(event_id=f"{trigger}-{second}", triggers=[{"type": trigger}], now=at)


def reasons(answer: dict[str, Any]) -> set[str]:
    return {entry["reason"] for entry in answer["excluded"]}


async def test_a_receipt_reaches_a_shopper_who_left_the_newsletter(replica: Start) -> None:
    async with replica(CATALOGUE) as service:
        await put(service, 0, consent={"email": False})
        assert reasons(await ask(service, "cart_abandoned", 1)) == {"no_consent"}
        receipt = await ask(service, "order_placed", 2)
        assert receipt["action"] == {"message": "receipt", "channel": "email_receipts", "delay_s": 0}
        await put(service, 3, subscribed=False)
        assert reasons(await ask(service, "order_placed", 4)) == {"no_consent"}
        await put(service, 5, subscribed=True)
        assert (await ask(service, "order_placed", 6))["decision"] == "send"
        complaint = {"event_id": "order_placed-6", "type": "complaint", "now": "2026-11-21T17:00:07Z"}
        await service.post("/v1/feedback", complaint)
        assert reasons(await ask(service, "order_placed", 8)) == {"no_consent"}


async def test_an_import_of_an_old_consent_does_not_undo_an_opt_out(replica: Start) -> None:
    async with replica(CATALOGUE) as service:
        await put(service, 0, consent={"email": False}, at="2026-05-01T00:00:00Z")
        for second in (1, 2):
            after = await put(service, second, consent={"email": True}, at="2026-03-01T09:30:00Z")
            assert after["consent"]["email"] is False
        assert (await put(service, 3, consent={"email": True}))["consent"]["email"] is True
