"""The inspector: everything there is to know about one decision, read from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from decision_service.errors import NotFound, Unavailable
from decision_service.learning.registry.base import Registry, RegistryUnavailable
from decision_service.log.base import EventLog, LogUnavailable
from decision_service.log.keys import catalogue_key
from decision_service.queries.decision_history import DecisionHistory, withdrawals
from decision_service.schemas.decision_answer import iso, optional_iso
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.learning.reward import REWARD_VERSION, reward_of
from policies.records.reasons import Reason
from policies.records.rows import FALLBACK, CatalogueRow, DecisionRow, OutcomeRow, unpack
from policies.sends import SendStatus


class Inspector:
    """Explains decisions: the context, every exclusion, the distribution, the draw, outcomes and learning."""

    def __init__(self, log: EventLog, registry: Registry) -> None:
        self._log = log
        self._registry = registry
        self._rulebooks: dict[int, Rulebook] = {}

    async def explain(self, event_id: str, now: float) -> dict[str, Any]:
        """Explain one decision as of a time.

        Raises
        ------
        NotFound
            When there is no such decision.
        Unavailable
            When the log cannot be read.
        """
        try:
            return await asyncio.to_thread(self._explain, event_id, now)
        except (LogUnavailable, RegistryUnavailable) as error:
            raise Unavailable("the log cannot be read") from error

    def _explain(self, event_id: str, now: float) -> dict[str, Any]:
        history = self._account(event_id)
        decision, status = history.decision, history.status(now)
        rulebook = self._rulebook(decision.catalogue_version)
        return {
            "event_id": decision.event_id,
            "shopper_id": decision.shopper_id,
            "at": iso(decision.at),
            "log_position": history.position,
            "decision": "send" if decision.is_delivered else "hold",
            "hold_reason": decision.hold_reason,
            "drawn": _drawn(decision, rulebook),
            "category": decision.category,
            "cost": decision.cost,
            "propensity": decision.propensity,
            "p_out": decision.p_out,
            "send_at": optional_iso(decision.send_at),
            "attribution_ends_at": optional_iso(decision.window_ends_at),
            **history.status_fields(now),
            "triggers": [_trigger(trigger) for trigger in decision.triggers],
            "trigger": None if decision.drawn_trigger is None else decision.triggers[decision.drawn_trigger].type,
            "context": decision.context,
            "policy": {
                "name": decision.policy.name,
                "version": decision.policy.version,
                "mode": decision.policy.mode,
            },
            "arm": decision.arm,
            "catalogue_version": decision.catalogue_version,
            "rules_version": decision.rules_version,
            "distribution": _distribution(decision, rulebook),
            "excluded": _excluded(decision, rulebook),
            "outcomes": history.told_outcomes(),
            "reward": self._reward(decision, history.outcomes, rulebook.catalogue) if status.has_left else None,
            "learned": self._learned(history, status),
        }

    def _account(self, event_id: str) -> DecisionHistory:
        rows = self._log.find_by_event([event_id])
        for each in rows:
            if isinstance(each.row, DecisionRow):
                later = withdrawals(self._log, each.row.shopper_id, each.position) if each.row.is_delivered else []
                return DecisionHistory(each.position, each.row, rows, later)
        raise NotFound(f"there is no decision {event_id!r}")

    def _rulebook(self, version: int) -> Rulebook:
        if version not in self._rulebooks:
            for row in self._log.find_by_key([catalogue_key(version)]):
                if isinstance(row.row, CatalogueRow):
                    self._rulebooks[version] = Rulebook.of(Catalogue.from_document(row.row.document), version)
        return self._rulebooks[version]

    def _reward(
        self, decision: DecisionRow, outcomes: Sequence[OutcomeRow], catalogue: Catalogue
    ) -> dict[str, Any] | None:
        """Give the reward as known now; None for what was not delivered."""
        if decision.message is None or decision.channel is None or not decision.is_delivered:
            return None
        cost = catalogue.channels[decision.channel].cost + catalogue.messages[decision.message].cost
        result = reward_of(outcomes, catalogue.reward, cost)
        return {"value": result.reward, "gain": result.gain, "cost": cost, "version": REWARD_VERSION}

    def _learned(self, history: DecisionHistory, status: SendStatus) -> dict[str, Any]:
        """Tell what was learned from the decision and when, derived from log and registry."""
        ends_at, counts_from = history.decision.window_ends_at, history.counts_from
        if ends_at is None:
            return {"status": "never", "reason": history.decision.hold_reason or "not delivered"}
        if history.decision.policy.mode == FALLBACK:
            return {"status": "never", "reason": FALLBACK}
        if counts_from is None:
            waits = status.status == "waiting"
            return {"status": "awaiting_activation"} if waits else {"status": "never", "reason": status.status}
        reached = self._log.find_first_reaching(ends_at)
        closed_at = None if reached is None else max(reached, counts_from)
        if status.position is not None and (closed_at is None or status.position < closed_at):
            return {"status": "never", "reason": status.status}
        if closed_at is None:
            return {"status": "window_open", "closes_at": iso(ends_at)}
        version = self._registry.first_containing(closed_at)
        progress = "learned" if version is not None else "window_closed"
        return {"status": progress, "closed_at_position": closed_at, "first_version": version}


def _drawn(decision: DecisionRow, rulebook: Rulebook) -> dict[str, Any] | str | None:
    if decision.drawn is None:
        return None
    if decision.drawn == rulebook.space.hold:
        return "HOLD"
    return rulebook.space[decision.drawn]._asdict()


def _trigger(trigger: Any) -> dict[str, Any]:
    return {
        "type": trigger.type,
        "priority": trigger.priority,
        "critical": trigger.critical,
        "expires_at": iso(trigger.expires_at),
        "attributes": trigger.attributes,
    }


def _distribution(decision: DecisionRow, rulebook: Rulebook) -> list[dict[str, Any]]:
    """Give the eligible set with its probabilities, the most probable first."""
    if not decision.verdicts:
        return []
    verdicts, probabilities = unpack(decision.verdicts, np.uint8), unpack(decision.probabilities, np.float64)
    sends = np.flatnonzero(verdicts == Reason.eligible)
    entries: list[dict[str, Any]] = [
        {**rulebook.space[number]._asdict(), "probability": float(p)}
        for number, p in zip(sends.tolist(), probabilities, strict=False)
    ]
    if decision.hold_eligible:
        entries.append({"hold": True, "probability": float(probabilities[-1])})
    return sorted(entries, key=lambda entry: -entry["probability"])


def _excluded(decision: DecisionRow, rulebook: Rulebook) -> list[dict[str, Any]]:
    if not decision.verdicts:
        return []
    return [
        {**rulebook.space[number]._asdict(), "reason": Reason(verdict).name}
        for number, verdict in enumerate(unpack(decision.verdicts, np.uint8).tolist())
        if verdict not in (Reason.eligible, Reason.not_a_candidate)
    ]
