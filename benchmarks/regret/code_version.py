"""The version of the code that decides a run: finished runs of another version are not used."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_CODE = ("policies", "simulators", "decision_service/catalogues", "decision_service/cli/own_policy.py")
"""What decides how a run ends: no page, test or other command does."""


def code_version() -> str:
    """Return the last commit that changed the code of a run, with a hash of the files where they differ from it.

    Without a checkout it is the hash alone.
    """
    commit = _git("log", "-1", "--format=%h", "--", *_CODE)
    if commit is None:
        return _hash()
    return f"{commit}-{_hash()}" if _git("status", "--porcelain", "--", *_CODE) else commit


def _git(*arguments: str) -> str | None:
    """Return what git prints; None without git, without a checkout, and where nothing is printed."""
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None


def _hash() -> str:
    """Return a hash of the names and the content of the files."""
    roots = [_ROOT / name for name in _CODE]
    files = {file for root in roots for file in ([root] if root.is_file() else root.rglob("*")) if _is_source(file)}
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted(files):
        digest.update(f"{file.relative_to(_ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _is_source(file: Path) -> bool:
    return file.is_file() and file.suffix in {".py", ".json", ".yaml"}
