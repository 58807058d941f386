"""Catalogues in which a channel, category or message has another name, or two of them have become one."""

from __future__ import annotations

import copy
from typing import Any


def rename(document: dict[str, Any], part: str, old: str, new: str) -> dict[str, Any]:
    """Return a catalogue in which a channel, category or message has another name.

    Where the other name is in use, the two become one: what the catalogue says of the other one stays.
    """
    renamed = copy.deepcopy(document)
    content = renamed.setdefault(part, {})
    before = content.pop(old, None) or {}
    after = content.get(new) or before
    former = [*(after.get("formerly") or ()), *((before.get("formerly") or ()) if after is not before else ()), old]
    content[new] = after | {"formerly": former}
    if part == "channels":
        _rename_channel(renamed, old, new)
    elif part == "categories":
        _rename_category(renamed, old, new)
    return renamed


def _rename_channel(document: dict[str, Any], old: str, new: str) -> None:
    for holder in [document.get("defaults", {}).get("consent") or {}, *_templates(document)]:
        if old in holder:
            word = holder.pop(old)
            holder.setdefault(new, word)


def _templates(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [message["templates"] for message in document["messages"].values()]


def _rename_category(document: dict[str, Any], old: str, new: str) -> None:
    for message in document["messages"].values():
        message["category"] = new if message["category"] == old else message["category"]
    for window in document.get("suppression") or ():
        window |= {key: new for key in ("after", "blocks") if window[key] == old}
