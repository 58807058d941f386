"""The registry port: one checkpoint of the learner, and numbered model versions.

It is a store of its own, so that a long checkpoint never holds the log's lock. Failure policy: when it
is away, versions stay as they are and learning waits; deciding goes on with what is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class RegistryUnavailable(Exception):
    """The registry cannot be read or written now."""


class CheckpointConflict(Exception):
    """Another learner has written a checkpoint meanwhile: this one must start again from it."""


@dataclass(frozen=True)
class Checkpoint:
    """What a learner goes on from: the log position it has folded, and its state."""

    position: int
    payload: bytes


@dataclass(frozen=True)
class Version:
    """A published model: its number, its bytes (None once pruned, or not asked for) and facts about it."""

    number: int
    payload: bytes | None
    facts: Mapping[str, Any]
    kept: bool = True
    """Whether the registry has the bytes."""


class Registry(Protocol):
    """Where the learner keeps its work. Every call may raise `RegistryUnavailable`."""

    def checkpoint(self) -> Checkpoint | None:
        """Give the latest checkpoint."""
        ...

    def save(
        self,
        expected: Checkpoint | int | None,
        checkpoint: Checkpoint,
        *,
        version: bytes | None,
        facts: Mapping[str, Any],
    ) -> int:
        """Replace the ``expected`` checkpoint and publish a version with it, or neither.

        Gives the number of the latest version. Raises `CheckpointConflict` when another checkpoint is
        stored: at another position or, where ``expected`` is a whole checkpoint and not its position
        alone, with other bytes. Raises `ValueError` when the facts about a version lack ``at``, its time
        in the log, by which it is kept or pruned.
        """
        ...

    def latest(self) -> int:
        """Give the number of the latest version, 0 for none; cheap enough to ask twice a second."""
        ...

    def load(self, number: int) -> Version:
        """Give a version. Raises `KeyError` when there is none of this number."""
        ...

    def history(self, limit: int) -> list[Version]:
        """Give the latest versions without their payloads, the latest first."""
        ...

    def first_containing(self, position: int) -> int | None:
        """Give the first version that was made from the log up to this position or beyond."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
