"""Features of a logged decision as tokens: what the reward model of a log, and Vowpal Wabbit, see.

The names of this service (``locale``, ``purchases``, ``recent_sends`` …) mean what they mean here in its own logs only.
In a log of others every name is a feature like all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from offline_eval.logs.decisions import Action, LoggedDecision, context_of
from policies.catalogue.action_space import JointAction
from policies.models.features import hour_bucket, known_hour, shared_token, shared_tokens


def context_tokens(decision: LoggedDecision) -> list[str]:
    """Return the tokens of a decision's context.

    >>> import numpy as np
    >>> decision = LoggedDecision("e", "e", 0.0, {"locale": "de"}, ("1",), np.ones(1), 0, 0.0)
    >>> context_tokens(decision)
    ['x_locale_de']
    """
    context = context_of(decision)
    if decision.of_service:
        return [token for tokens in shared_tokens(context).values() for token in tokens]
    return [shared_token(name, "x", context[name]) for name in sorted(context)]


def action_tokens(decision: LoggedDecision, places: Sequence[int]) -> list[tuple[str, ...]]:
    """Return the tokens of the eligible actions at some places."""
    hour = known_hour(context_of(decision))
    names = [_name_tokens(decision.actions[place], hour) for place in places]
    if not decision.action_features:
        return names
    return [(*name, *decision.action_features[place]) for name, place in zip(names, places, strict=True)]


def _name_tokens(action: Action, hour: float | None) -> tuple[str, ...]:
    if isinstance(action, JointAction):
        return _joint_tokens(action, None if hour is None else hour_bucket(hour, action.delay_s))
    return (f"action {action}",)


@lru_cache(maxsize=100_000)
def _joint_tokens(action: JointAction, hour: int | None) -> tuple[str, ...]:
    tokens = [f"message {action.message}", f"channel {action.channel}", f"delay {action.delay_s}"]
    tokens.append(f"message {action.message} channel {action.channel}")
    if hour is not None:
        tokens += [f"hour {hour}", f"channel {action.channel} hour {hour}"]
    return tuple(tokens)
