"""A shop over HTTP: the service as a replay or a simulation drives it."""

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

_AT_ONCE = 1_000
Item = TypeVar("Item")


class ShopRefused(RuntimeError):
    """The service cannot be driven, or answered something that ends the run."""


class RemoteShop:
    """Drives a service that runs by the request clock.

    Parameters
    ----------
    client
        With the service's URL as its base.
    """

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def connect(cls, url: str) -> Iterator[RemoteShop]:
        """Connect to a service that nobody has asked yet.

        Raises
        ------
        ShopRefused
            When it cannot be reached, runs by the wall clock, or has decided before.
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
        """Give the catalogue in force."""
        return Catalogue.from_document(self._call("GET", "/v1/catalog"))

    def wishes(self, wishes: Sequence[ConsentChange], now: float) -> None:
        """Take changes of consent in."""
        for wish in wishes:
            path = f"/v1/shoppers/{quote(wish.shopper_id, safe='')}/preferences"
            self._call("PUT", path, {"consent": dict(wish.consent), "now": iso(now)})

    def tell(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Take outcomes in."""
        for some in _chunks(outcomes):
            events = [
                {
                    "event_id": told.event_id,
                    "feedback_id": f"{told.type}-{told.at:.0f}",
                    "type": told.type,
                    "at": iso(told.at),
                    **({"value": told.value} if told.value else {}),
                }
                for told in some
            ]
            answer = self._call("POST", "/v1/feedback", {"events": events, "now": iso(now)})
            _check([each["status"] for each in answer["results"]], {"accepted", "late"})

    def saw(self, acts: Sequence[ShopperEvent], now: float) -> None:
        """Take what shoppers did in."""
        for some in _chunks(acts):
            events = [
                {
                    "shopper_id": act.shopper_id,
                    "type": act.type,
                    "at": iso(act.at),
                    "attributes": dict(act.attributes),
                }
                for act in some
            ]
            answer = self._call("POST", "/v1/events", {"events": events, "now": iso(now)})
            _check([each["status"] for each in answer["results"]], {"accepted"})

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        """Decide for each arrival, in order."""
        return [action for some in _chunks(arrivals) for action in self._decide(some)]

    def _decide(self, arrivals: Sequence[Arrival]) -> Iterator[JointAction | None]:
        decisions = [
            {
                "event_id": arrival.event_id,
                "shopper_id": arrival.shopper_id,
                "triggers": [{"type": each.type, "attributes": dict(each.attributes)} for each in arrival.happenings],
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

    def reach(self, now: float) -> None:
        """Let time pass."""
        self._call("POST", "/v1/clock", {"now": iso(now)})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            response = self._client.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise ShopRefused(f"{self._client.base_url} does not answer: {error}") from None
        if response.is_error:
            raise ShopRefused(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json()


def _check(statuses: Sequence[str], fine: set[str]) -> None:
    for status in statuses:
        if status not in fine:
            raise ShopRefused(f"the service took an item as {status!r}")


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[first : first + _AT_ONCE] for first in range(0, len(items), _AT_ONCE))
