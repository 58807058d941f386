"""Decide with the generated Python client; the answer is typed.

Runs in the environment that `make clients` makes: ``python decide.py URL``.
"""

from __future__ import annotations

import sys

from notification_decision_service_client import Client
from notification_decision_service_client.api.decisions import decide
from notification_decision_service_client.models import DecideRequest, Hold, Send, Trigger, TriggerAttributes


def main(url: str) -> None:
    """Ask for one decision and write what it says."""
    attributes = TriggerAttributes.from_dict({"product": "Runner 3", "price": 59.9})
    trigger = Trigger(type_="cart_abandoned", attributes=attributes)
    request = DecideRequest(event_id="python-1", shopper_id="s-1", triggers=[trigger])
    with Client(base_url=url, raise_on_unexpected_status=True) as client:
        decision = decide.sync(client=client, body=request)
    if isinstance(decision, Send):
        sys.stdout.write(f"send {decision.action.message} on {decision.action.channel} at {decision.send_at:%H:%M}\n")
    elif isinstance(decision, Hold):
        sys.stdout.write(f"hold: {decision.hold_reason.value}\n")
    else:
        raise SystemExit(f"no decision: {decision}")


if __name__ == "__main__":
    main(sys.argv[1])
