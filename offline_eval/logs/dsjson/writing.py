"""Decisions written as dsjson, which Vowpal Wabbit reads, and `offline_eval.logs.dsjson.reading` without loss."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from offline_eval.logs.decisions import LoggedDecision, context_of
from offline_eval.logs.dsjson.actions import write_action


def write_dsjson(path: Path, decisions: Iterable[LoggedDecision]) -> int:
    """Write one decision per line, and return the number of decisions.

    A decision that was read from dsjson is written back as the original line.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for decision in decisions:
            file.write((decision.raw or msgspec.json.encode(_event(decision)).decode()) + "\n")
            count += 1
    return count


def _event(decision: LoggedDecision) -> dict[str, Any]:
    return {
        "_label_cost": -decision.reward,
        "_label_probability": decision.propensity,
        "_label_Action": decision.drawn + 1,
        "_labelIndex": decision.drawn,
        "Timestamp": datetime.fromtimestamp(decision.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "Version": "1",
        "EventId": decision.event_id,
        "shopper": decision.shopper_id,
        "labels": dict(decision.labels),
        "a": list(range(1, len(decision.actions) + 1)),
        "p": decision.probabilities.tolist(),
        "c": {
            "s": dict(context_of(decision)),
            "_multi": [{"a": write_action(action)} for action in decision.actions],
        },
    }
