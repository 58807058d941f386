"""A shop whose decisions a running service makes, over HTTP: for replays and simulations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2

from decision_service.schemas.decision_answer import iso
from policies.catalogue.action_space import JointAction
from policies.catalogue.document import Catalogue
from simulators.shops.base import Arrival, ConsentChange, Outcome, ShopperEvent

_BATCH_SIZE = 1_000
Item = TypeVar("Item")


class ShopRefused(RuntimeError):
    """The service cannot be used for this run, or one of its answers ends the run."""


class RemoteShop:
    """Sends arrivals, outcomes and events to a service that uses the request clock.

    Parameters
    ----------
    client
        An HTTP client that has the URL of the service as its base URL.
    """

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def connect(cls, url: str) -> Iterator[RemoteShop]:
        """Connect to a service that has made no decision yet.

        Raises
        ------
        ShopRefused
            When the service does not answer, uses the wall clock, or has rows in its log.
        """
        with httpx2.Client(base_url=url, timeout=60.0) as client:
            shop = cls(client)
            shop._require_fresh()
            yield shop

    def _require_fresh(self) -> None:
        ready, url = self._call("GET", "/readyz"), self._client.base_url
        if ready.get("clock") != "request":
            raise ShopRefused(f"{url} runs by the wall clock; start it with: decision-service serve --clock request")
        if not ready.get("fresh"):
            raise ShopRefused(f"the log of {url} is not empty; start it on a new --data-dir")

    def catalogue(self) -> Catalogue:
        """Return the catalogue that is in force."""
        return Catalogue.from_stored(self._call("GET", "/v1/catalog"))

    def change_consent(self, changes: Sequence[ConsentChange], now: float) -> None:
        for change in changes:
            path = f"/v1/shoppers/{quote(change.shopper_id, safe='')}/preferences"
            self._call("PUT", path, {"consent": dict(change.consent), "now": iso(now)})

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        for chunk in _chunks([*enumerate(outcomes)]):
            items = [
                {
                    "event_id": outcome.event_id,
                    "feedback_id": f"{outcome.type}-{outcome.at:.0f}-{now:.0f}-{number}",
                    "type": outcome.type,
                    "at": iso(outcome.at),
                    **({"value": outcome.value} if outcome.value else {}),
                }
                for number, outcome in chunk
            ]
            answer = self._call("POST", "/v1/feedback", {"events": items, "now": iso(now)})
            _require(answer["results"], {"accepted", "late"})

    def record_events(self, events: Sequence[ShopperEvent], now: float) -> None:
        for chunk in _chunks(events):
            items = [
                {
                    "shopper_id": event.shopper_id,
                    "type": event.type,
                    "at": iso(event.at),
                    "attributes": dict(event.attributes),
                }
                for event in chunk
            ]
            answer = self._call("POST", "/v1/events", {"events": items, "now": iso(now)})
            _require(answer["results"], {"accepted"})

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        return [action for chunk in _chunks(arrivals) for action in self._decide(chunk)]

    def _decide(self, arrivals: Sequence[Arrival]) -> Iterator[JointAction | None]:
        decisions = [
            {
                "event_id": arrival.event_id,
                "shopper_id": arrival.shopper_id,
                "triggers": [
                    {"type": trigger.type, "attributes": dict(trigger.attributes)} for trigger in arrival.triggers
                ],
                "context": dict(arrival.context),
                "now": iso(arrival.at),
            }
            for arrival in arrivals
        ]
        for result in self._call("POST", "/v1/decide/batch", {"decisions": decisions})["results"]:
            if "error" in result:
                raise ShopRefused(f"a decision was refused: {result['error']['detail']}")
            if result["hold_reason"] == "degraded":
                raise ShopRefused("the service lost its state store: this run is no longer comparable")
            yield JointAction(**result["action"]) if result["decision"] == "send" else None

    def advance_clock(self, now: float) -> None:
        self._call("POST", "/v1/clock", {"now": iso(now)})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            response = self._client.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise ShopRefused(f"{self._client.base_url} does not answer: {error}") from None
        if response.is_error:
            raise ShopRefused(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json()


def _require(results: Sequence[dict[str, Any]], statuses: set[str]) -> None:
    for result in results:
        if result["status"] not in statuses:
            raise ShopRefused(f"the service took an item as {result['status']!r}")


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[first : first + _BATCH_SIZE] for first in range(0, len(items), _BATCH_SIZE))
