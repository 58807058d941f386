"""The eligible actions of a decision in dsjson: their names, which do not depend on their order, and their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from offline_eval.errors import BadData
from offline_eval.logs.decisions import HOLD, Action
from offline_eval.logs.dsjson.features import read_features
from policies.catalogue.action_space import JointAction
from policies.models.features import shared_token
from policies.records.rows import Scalar

ActionFeatures = tuple[tuple[str, ...], ...]


def read_actions(multi: Any, count: int, row: int) -> tuple[tuple[str, ...], ActionFeatures]:
    """Return the names and the features of the eligible actions in ``c._multi``.

    An action is named by its ``_tag``, else by its ``id``, else by all of its features: logs list the same actions in
    any order. Where two actions of a decision have the same tag, or the same id, the next kind of name counts. A
    decision without ``_multi`` chooses among numbered actions.

    Raises
    ------
    BadData
        When ``_multi`` does not hold one object per action; the error names row and field.

    Examples
    --------
    >>> read_actions([{"i": {"id": "hat"}}, {"i": {"id": "bag"}}], 2, row=1)[0]
    ('hat', 'bag')
    """
    if multi is None:
        return tuple(map(str, range(1, count + 1))), ()
    if not isinstance(multi, list) or not all(isinstance(action, Mapping) for action in multi):
        raise BadData("c._multi", "is not a list of objects", row)
    if len(multi) != count:
        raise BadData("c._multi", f"has {len(multi)} actions, a has {count}", row)
    features = [read_features(action, f"c._multi.{place}", row) for place, action in enumerate(multi)]
    tokens = tuple(tuple(shared_token(name, "x", action[name]) for name in sorted(action)) for action in features)
    return _choose_names(multi, features), tokens


def _choose_names(multi: Sequence[Mapping[str, Any]], features: Sequence[Mapping[str, Scalar]]) -> tuple[str, ...]:
    for names in ([action.get("_tag") for action in multi], [_id_of(action) for action in features]):
        if not any(name in (None, "") or isinstance(name, dict | list) for name in names):
            texts = tuple(map(str, names))
            if len(set(texts)) == len(texts):
                return texts
    return tuple(_describe(action) for action in features)


def _id_of(features: Mapping[str, Scalar]) -> Scalar | None:
    """Return the feature ``id``, of no namespace or of the first one that has it."""
    return next((features[name] for name in sorted(features, key=_namespaces) if _is_id(name)), None)


def _namespaces(name: str) -> tuple[int, str]:
    return name.count("."), name


def _is_id(name: str) -> bool:
    return name.rpartition(".")[2].lower() == "id"


def _describe(features: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name}={features[name]}" for name in sorted(features))


def read_exported_actions(multi: Any, count: int) -> tuple[Action, ...] | None:
    """Return the joint actions of a line that this service exported; None for other lines."""
    if not isinstance(multi, list) or len(multi) != count:
        return None
    actions = [_exported_action(item.get("a") if isinstance(item, Mapping) else None) for item in multi]
    return None if None in actions else tuple(action for action in actions if action is not None)


def _exported_action(features: Any) -> Action | None:
    if features == write_action(HOLD):
        return HOLD
    try:
        action = JointAction(features["message"], features["channel"], int(features["delay_s"]))
    except (KeyError, TypeError, ValueError):
        return None
    return action if features == write_action(action) else None


def write_action(action: Action) -> dict[str, str]:
    """Return the features by which an action is exported."""
    if isinstance(action, JointAction):
        return {name: str(value) for name, value in action._asdict().items()}
    return {"action": action}
