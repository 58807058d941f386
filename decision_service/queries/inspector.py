"""The inspector: everything there is to know about one decision, read from the log."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import numpy as np

from decision_service.errors import NotFound, Unavailable
from decision_service.learning.registry.base import Registry, RegistryUnavailable
from decision_service.log.base import EventLog, LogUnavailable
from decision_service.log.keys import catalogue_key
from decision_service.queries.decision_history import NOT_EXCLUDED, DecisionHistory, add_shopper_rows, read_history
from decision_service.schemas.decision_answer import ActionAnswer, iso, optional_iso
from decision_service.schemas.reading_answers import ExcludedActionAnswer, RewardAnswer, TriggerAnswer
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.learning.interactions import action_of
from policies.learning.reward import REWARD_VERSION, order_weight, reward_of
from policies.records.reasons import Reason
from policies.records.rows import FALLBACK, CatalogueRow, DecisionRow, TriggerRecord, unpack
from policies.sends.status import WAITING, StatusChange


class Inspector:
    """Explains decisions: the context, every exclusion, the distribution, the draw, outcomes and learning."""

    def __init__(self, log: EventLog, registry: Registry) -> None:
        self._log = log
        self._registry = registry
        self._rulebooks: dict[int, Rulebook] = {}

    async def explain(self, event_id: str, now: float) -> dict[str, Any]:
        """Explain one decision as of a time, in the form of `DecisionAnswer`.

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
        history = read_history(self._log, event_id)
        if history is None:
            raise NotFound(f"there is no decision {event_id!r}")
        history = add_shopper_rows(self._log, history)
        decision, change = history.decision, history.status(now)
        rulebook = self._rulebook(decision.catalogue_version)
        return {
            "event_id": decision.event_id,
            "shopper_id": decision.shopper_id,
            "at": iso(decision.at),
            "log_position": history.position,
            "decision": "send" if decision.is_delivered else "hold",
            "hold_reason": decision.hold_reason,
            "drawn": _drawn_answer(decision, rulebook),
            "category": decision.category,
            "cost": decision.cost,
            "propensity": decision.propensity,
            "p_out": decision.p_out,
            "p_click": decision.p_click,
            "send_at": optional_iso(decision.send_at),
            "attribution_ends_at": optional_iso(decision.window_ends_at),
            **history.status_fields(now),
            "triggers": [_trigger(trigger) for trigger in decision.triggers],
            "trigger": None if decision.drawn_trigger is None else decision.triggers[decision.drawn_trigger].type,
            "context": decision.context,
            "numbers": None if decision.numbers is None else msgspec.structs.asdict(decision.numbers),
            "policy": decision.policy,
            "arm": decision.arm,
            "catalogue_version": decision.catalogue_version,
            "rules_version": decision.rules_version,
            "distribution": _distribution(decision, rulebook),
            "excluded": _excluded_answers(decision, rulebook),
            "outcomes": history.outcome_answers(),
            "reward": _reward(history, rulebook) if change.status.counts_as_sent else None,
            "learned": self._learned_answer(history, change),
        }

    def _rulebook(self, version: int) -> Rulebook:
        if version not in self._rulebooks:
            for stored in self._log.find_by_key([catalogue_key(version)]):
                if isinstance(stored.row, CatalogueRow):
                    self._rulebooks[version] = Rulebook.of(Catalogue.from_stored(stored.row.document), version)
        return self._rulebooks[version]

    def _learned_answer(self, history: DecisionHistory, change: StatusChange) -> dict[str, Any]:
        """Return what was learned from the decision and when, derived from the log and the registry."""
        ends_at, counts_from = history.decision.window_ends_at, history.counts_from
        if ends_at is None:
            return {"status": "never", "reason": history.decision.hold_reason or "not delivered"}
        if history.decision.policy.mode == FALLBACK:
            return {"status": "never", "reason": FALLBACK}
        if counts_from is None:
            waits = change.status is WAITING
            return {"status": "awaiting_activation"} if waits else {"status": "never", "reason": change.status.name}
        closed_at = self._log.find_first_reaching(ends_at, counts_from)
        if change.position is not None and (closed_at is None or change.position < closed_at):
            return {"status": "never", "reason": change.status.name}
        if closed_at is None:
            return {"status": "window_open", "closes_at": iso(ends_at)}
        version = self._registry.first_containing(closed_at)
        progress = "learned" if version is not None else "window_closed"
        return {"status": progress, "closed_at_position": closed_at, "first_version": version}


def _reward(history: DecisionHistory, rulebook: Rulebook) -> RewardAnswer:
    """Return the reward of a delivered send as known now."""
    cost = rulebook.cost(action_of(history.decision))
    weights = rulebook.catalogue.reward
    result = reward_of(history.outcomes, weights, cost)
    return RewardAnswer(
        value=result.reward,
        gain=result.gain,
        cost=cost,
        version=REWARD_VERSION,
        order_weight=order_weight(history.outcomes, weights),
    )


def _drawn_answer(decision: DecisionRow, rulebook: Rulebook) -> ActionAnswer | str | None:
    if decision.drawn is None:
        return None
    return "HOLD" if decision.drawn == rulebook.space.hold else ActionAnswer(*rulebook.space[decision.drawn])


def _trigger(trigger: TriggerRecord) -> TriggerAnswer:
    return TriggerAnswer(
        type=trigger.type,
        priority=trigger.priority,
        critical=trigger.critical,
        occurred_at=optional_iso(trigger.occurred_at),
        expires_at=iso(trigger.expires_at),
        ends_on=list(trigger.ends_on),
        attributes=trigger.attributes,
    )


def _distribution(decision: DecisionRow, rulebook: Rulebook) -> list[dict[str, Any]]:
    """Return the eligible set with its probabilities, the most probable first."""
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


def _excluded_answers(decision: DecisionRow, rulebook: Rulebook) -> list[ExcludedActionAnswer]:
    if not decision.verdicts:
        return []
    return [
        ExcludedActionAnswer(*rulebook.space[number], reason=Reason(verdict).name)
        for number, verdict in enumerate(unpack(decision.verdicts, np.uint8).tolist())
        if verdict not in NOT_EXCLUDED
    ]
