"""The Lua scripts that read or change states in Redis, each at once; `RedisStateStore` describes the keys."""

from __future__ import annotations

from importlib.resources import files

_FOLDER = files("decision_service.state") / "lua"


def _load(*names: str) -> str:
    return "\n".join((_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in names)


READ = _load("read")
RESERVE = _load("digits", "reserve")
WITHDRAW = _load("withdraw")
DROP = _load("refund", "drop")
APPLY = _load("digits", "refund", "apply")
BEGIN = _load("refund", "begin")
COMPLETE = _load("complete")

SCRIPTS = (BEGIN, COMPLETE, READ, RESERVE, WITHDRAW, DROP, APPLY)
"""All scripts, to be loaded before they are called by their hash."""
