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
    """A published model: its number, its bytes (None once pruned) and facts about it."""

    number: int
    payload: bytes | None
    facts: Mapping[str, Any]


class Registry(Protocol):
    """Where the learner keeps its work. Every call may raise `RegistryUnavailable`."""

    def checkpoint(self) -> Checkpoint | None:
        """Give the latest checkpoint."""
        ...

    def save(
        self,
        expected: int | None,
        checkpoint: Checkpoint,
        *,
        version: bytes | None,
        facts: Mapping[str, Any],
    ) -> int:
        """Replace the checkpoint at position ``expected`` and publish a version with it, or neither.

        Gives the number of the latest version. Raises `CheckpointConflict` when the checkpoint is not
        the expected one.
        """
        ...

    def latest(self) -> int:
        """Give the number of the latest version, 0 for none; cheap enough to ask twice a second."""
        ...

    def load(self, number: int) -> Version:
        """Give a version. Raises `KeyError` when there is none of this number."""
        ...

    def first_containing(self, position: int) -> int | None:
        """Give the first version that was made from the log up to this position or beyond."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
