"""Names that a catalogue has for what was called otherwise in earlier rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def names_of(document: Document, part: str, name: str) -> tuple[str, ...]:
    """Return the name that a channel, category or message has today, and its former names.

    >>> document = {"channels": {"email": {"formerly": ["mail", "post"]}, "push": {}}}
    >>> names_of(document, "channels", "post"), names_of(document, "channels", "push")
    (('email', 'mail', 'post'), ('push',))
    """
    known = document.get(part) or {}
    if name in known:
        return (name, *_former_names(known[name]))
    for today, content in known.items():
        former = _former_names(content)
        if name in former:
            return (today, *former)
    return (name,)


def _former_names(content: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple((content or {}).get("formerly") or ())


def name_today(document: Document, part: str, name: str) -> str:
    """Return the name that a channel, category or message has today."""
    return names_of(document, part, name)[0]
