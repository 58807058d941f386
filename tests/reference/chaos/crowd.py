"""A crowd of clients that decide, ask the gate, report, change preferences, cancel and erase, all at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from decision_service.schemas.decision_answer import iso
from tests.reference.chaos.catalogue import CHANNELS, LONGEST_DELAY_S, TRIGGERS

STEP_S = 14_400
"""Seconds between the beginnings of two rounds. Most of them pass while nothing runs."""

ROUND_S = 600
"""Largest difference between the clocks of two clients in one round."""

PREFERENCES: tuple[dict[str, Any], ...] = (
    {"consent": {"push": False}},
    {"consent": {"sms": False, "email": False}},
    *({"consent": dict.fromkeys(CHANNELS, True)},) * 6,
    {"consent": dict.fromkeys(CHANNELS)},
    {"subscribed": False},
    *({"subscribed": True},) * 3,
    {"reachable": {"sms": False}},
    {"reachable": {"sms": True}},
    {"muted_categories": ["cart"]},
    *({"muted_categories": []},) * 2,
    {"max_per_week": 2},
    *({"max_per_week": None},) * 2,
    {"quiet_hours": {"from": "12:00", "to": "18:00"}},
    {"quiet_hours": [{"from": "00:00", "to": "24:00", "days": ["sat", "sun"]}, {"from": "22:00", "to": "06:00"}]},
    *({"quiet_hours": None},) * 2,
    *(
        {"time_zone": zone}
        for zone in ("America/New_York", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "Australia/Lord_Howe")
    ),
)
EVENTS = ("purchase", "purchase", "add_to_cart", "product_view")
OUTCOMES = {
    "click": 5,
    "open": 3,
    "delivered": 3,
    "conversion": 1,
    "refund": 0.3,
    "bounce": 1,
    "opt_out": 0.4,
    "complaint": 0.1,
}
AFTERWARDS = {
    "nothing": 60,
    "feedback": 15,
    "activate": 16,
    "cancel": 6,
    "prefer": 6,
    "act": 5,
    "repeat": 1,
    "erase": 0.5,
}


@dataclass
class Answers:
    """The answers that the crowd got."""

    decides: Counter[str] = field(default_factory=Counter)
    """By hold reason; ``send`` for sends, ``come_again`` for critical decides that were answered with 503."""
    excluded: set[str] = field(default_factory=set)
    """The reasons for which joint actions were excluded."""
    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By name of the call, and status."""
    differing_repeats: int = 0
    gates: dict[str, bool] = field(default_factory=dict)
    """The latest answer of the gate about a send, by event id, except that it was asked too early."""
    gates_opened_early: int = 0
    gates_asked_again: int = 0
    gates_opened_again: int = 0
    """How often the gate let a send leave after it had said no."""
    renames: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Sent:
    """A send that the crowd got as an answer."""

    event_id: str
    shopper_id: str
    send_at: float
    deferred: bool


class Crowd:
    """Many clients at once on few shoppers.

    Parameters
    ----------
    clients
        Connections to the replicas; each call takes one of them.
    begin
        The time at the beginning of the first round.
    documents
        The catalogues that `rename` puts into force in turn.
    """

    def __init__(
        self,
        clients: Sequence[httpx2.AsyncClient],
        *,
        begin: float,
        shoppers: int,
        at_once: int,
        seed: int,
        documents: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._clients = clients
        self._chance = random.Random(seed)
        self._shoppers = [f"s-{number}" for number in range(shoppers)]
        self._at_once = at_once
        self._documents = documents
        self._sent: list[Sent] = []
        self._count = 0
        self.begin = begin
        self.answers = Answers()

    @property
    def now(self) -> float:
        """The time at the end of the round."""
        return self.begin + ROUND_S

    async def round(self, decides: int) -> None:
        """Make so many decides, with all other calls in between."""
        started, left = asyncio.get_running_loop().time(), iter(range(decides))

        async def client() -> None:
            for _ in left:
                await self._decide()

        await asyncio.gather(*(client() for _ in range(self._at_once)))
        self.answers.seconds += asyncio.get_running_loop().time() - started
        self._sent = [send for send in self._sent if send.send_at > self.begin - 2 * LONGEST_DELAY_S]

    async def advance_clock(self) -> None:
        """Let time pass to the beginning of the next round, while nothing else runs."""
        await self._post("/v1/clock", {"now": iso(self.now)})
        self.begin += STEP_S

    async def rename(self) -> None:
        """Put the next catalogue into force, and return when every replica has it; nothing else runs meanwhile."""
        document = self._documents[self.answers.renames % len(self._documents)]
        self.answers.renames += 1
        answer = await self._call("PUT", "/v1/catalog", dict(document), "catalog")
        assert answer.status_code == 200, answer.text
        for client in self._clients:
            while not await self._serves(client, answer.json()["version"]):
                await asyncio.sleep(0.05)

    async def _serves(self, client: httpx2.AsyncClient, version: int) -> bool:
        answer = await client.get("/v1/catalog")
        return answer.headers.get("catalog-version") == str(version)

    async def _decide(self) -> None:
        body = self._decide_body()
        answer = await self._post("/v1/decide", body)
        if answer.status_code != 200:
            self.answers.decides["come_again" if answer.status_code == 503 else "refused"] += 1
            return
        decision = answer.json()
        self.answers.decides[decision["hold_reason"] or "send"] += 1
        self.answers.excluded.update(one["reason"] for one in decision["excluded"])
        if decision["decision"] == "send":
            send_at = _epoch_seconds(decision["send_at"])
            self._sent.append(Sent(body["event_id"], body["shopper_id"], send_at, body["defer_activation"]))
        await self._afterwards(body, answer)

    def _decide_body(self) -> dict[str, Any]:
        chance = self._chance
        self._count += 1
        kinds = chance.choices(TRIGGERS, (6, 5, 5, 0.4), k=chance.choice((1, 1, 1, 2, 3)))
        product = {"product": "Runner 3"} if chance.random() < 0.9 else {}
        return {
            "event_id": f"d-{self._count}",
            "shopper_id": chance.choice(self._shoppers),
            "triggers": [{"type": kind, "attributes": product} | self._moment() for kind in dict.fromkeys(kinds)],
            "exclude": [{"channel": chance.choice(CHANNELS)}] if chance.random() < 0.1 else [],
            "defer_activation": chance.random() < 0.3,
            "now": self._time(),
        }

    async def _afterwards(self, body: dict[str, Any], answer: httpx2.Response) -> None:
        what = self._chance.choices(list(AFTERWARDS), list(AFTERWARDS.values()))[0]
        shopper_id = self._chance.choice(self._shoppers)
        if what == "repeat":
            again = await self._post("/v1/decide", body)
            self.answers.differing_repeats += again.status_code == 200 and again.content != answer.content
        elif what == "prefer":
            change = {**self._chance.choice(PREFERENCES), "now": self._time()} | self._date()
            await self._call("PUT", f"/v1/shoppers/{shopper_id}/preferences", change, "preferences")
        elif what == "act":
            await self._post("/v1/events", {"events": [self._event(shopper_id)], "now": self._time()})
        elif what == "erase":
            await self._call("DELETE", f"/v1/shoppers/{shopper_id}", None, "erase")
        elif what != "nothing" and self._sent:
            await self._call_about(what, self._chance.choice(self._sent[-4 * self._at_once :]))

    async def _call_about(self, what: str, send: Sent) -> None:
        if what == "feedback":
            await self._post("/v1/feedback", self._outcome(send))
        elif what == "cancel":
            await self._call("POST", f"/v1/decisions/{send.event_id}/cancel", {"now": self._time()}, what)
        elif self._may_activate(send):
            for _ in range(self._chance.choice((1, 1, 2))):
                await self._ask_gate(send)

    async def _ask_gate(self, send: Sent) -> None:
        """Ask whether a send may leave, before its send time or after, perhaps not for the first time."""
        before = self.answers.gates.get(send.event_id)
        body = {"now": self._time()}
        answer = await self._call("POST", f"/v1/decisions/{send.event_id}/activate", body, "activate")
        if answer.status_code != 200 or answer.json().get("reason") == "too_early":
            return
        may_leave = answer.json()["deliver"]
        self.answers.gates_opened_early += may_leave and _epoch_seconds(body["now"]) < send.send_at
        self.answers.gates_asked_again += before is not None
        self.answers.gates_opened_again += before is False and may_leave
        self.answers.gates[send.event_id] = may_leave and before is not False

    def _may_activate(self, send: Sent) -> bool:
        """Return whether to activate a send: not if it expires within the round, as clocks differ within the round."""
        return not self.begin - ROUND_S <= send.send_at + 3_600 <= self.now

    def _outcome(self, send: Sent) -> dict[str, Any]:
        """An outcome of a send; the caller's id of the message is the id of all its outcomes, except orders."""
        kind = self._chance.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
        self._count += 1
        outcome: dict[str, Any] = {"event_id": send.event_id, "type": kind, "now": self._time()}
        if kind in ("conversion", "refund"):
            return outcome | {"feedback_id": f"order-{self._count}", "value": 30.0}
        more = {"permanent": self._chance.random() < 0.2} if kind == "bounce" else {}
        return outcome | more | self._chance.choice(({}, {"feedback_id": "message"}))

    def _event(self, shopper_id: str) -> dict[str, Any]:
        """Something that a shopper did in the last hours; some events end triggers."""
        kind, at = self._chance.choice(EVENTS), self.begin - self._chance.randrange(2 * STEP_S) + ROUND_S
        return {"shopper_id": shopper_id, "type": kind, "at": iso(at), "attributes": {"value": 20.0, "category": "x"}}

    def _moment(self) -> dict[str, Any]:
        """When a trigger occurred; often nothing is said, and then it occurred just now."""
        ago = self._chance.choice((0, 0, self._chance.randrange(STEP_S)))
        return {"occurred_at": iso(self.begin - ago)} if ago else {}

    def _date(self) -> dict[str, Any]:
        """The date of a shopper's words; often nothing is said, and then they were said just now."""
        ago = self._chance.choice((0, 0, 0, self._chance.randrange(2 * STEP_S)))
        return {"at": iso(self.begin - ago)} if ago else {}

    def _time(self) -> str:
        return iso(self.begin + self._chance.randrange(ROUND_S))

    async def _post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return await self._call("POST", path, body, path.rpartition("/")[2])

    async def _call(self, method: str, path: str, body: dict[str, Any] | None, name: str) -> httpx2.Response:
        client = self._chance.choice(self._clients)
        answer = await client.request(method, path, json=body)
        self.answers.calls[name, answer.status_code] += 1
        return answer


def _epoch_seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
