"""The registry port: one checkpoint of the learner, and numbered model versions.

The registry is a store apart from the log, so that writing a long checkpoint never holds the log's lock. While the
registry is away, versions stay as they are and learning waits; decisions go on with the version that is served.
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
    """The state of a learner and the log position up to which it has folded."""

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
        """Return the latest checkpoint."""
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

        Returns the number of the latest version.

        Raises
        ------
        CheckpointConflict
            When another checkpoint is stored: at another position or, where ``expected`` is a whole checkpoint and
            not only its position, with other bytes.
        ValueError
            When the facts about a version lack ``at``, its time in the log: by it versions are kept or pruned.
        """
        ...

    def latest(self) -> int:
        """Return the number of the latest version, 0 for none; cheap enough for two calls a second."""
        ...

    def load(self, number: int) -> Version:
        """Return a version.

        Raises
        ------
        KeyError
            When there is no version of this number.
        """
        ...

    def history(self, limit: int) -> list[Version]:
        """Return the latest versions without their payloads, the latest first."""
        ...

    def first_containing(self, position: int) -> int | None:
        """Return the number of the first version that contains the log up to this position, None for none."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
