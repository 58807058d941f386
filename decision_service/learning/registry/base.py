"""The interface of the registry: one checkpoint of the learner, and numbered model versions.

The registry is a store apart from the log, so that writing a long checkpoint never holds the log's lock. While the
registry cannot be reached, no version is published and learning waits; decisions go on with the version that is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class RegistryUnavailable(Exception):
    """The registry cannot be read or written now."""


class RegistryDamaged(RegistryUnavailable):
    """What the registry is stored in is damaged. All that it holds can be learned from the log again."""


class CheckpointConflict(Exception):
    """Another learner has written a checkpoint meanwhile: this learner must start again from that checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a learner and the log position up to which it has folded."""

    position: int
    payload: bytes


@dataclass(frozen=True)
class Version:
    """A published model version.

    Attributes
    ----------
    number
        1 for the first version.
    payload
        The bytes of the model; None when they have been pruned, or were not asked for.
    metadata
        JSON values that describe the version, such as ``at``, its time in the log.
    has_payload
        Whether the registry has the bytes.
    """

    number: int
    payload: bytes | None
    metadata: Mapping[str, Any]
    has_payload: bool = True


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
        model: bytes | None,
        metadata: Mapping[str, Any],
        after: int = 0,
    ) -> int:
        """In one transaction: replace the checkpoint and, unless ``model`` is None, publish it.

        Returns the number of the latest version.

        Parameters
        ----------
        expected
            The checkpoint that must be stored now: its position, or the whole checkpoint; None when none is stored yet.
        checkpoint
            The checkpoint to store.
        model
            The bytes of the version to publish.
        metadata
            Describes the version, and is not used when ``model`` is None.
        after
            A number that was given before, also if this registry does not know it: the version gets a greater one.

        Raises
        ------
        CheckpointConflict
            When another checkpoint is stored: at another position or, where ``expected`` is a whole checkpoint and
            not only its position, with other bytes.
        ValueError
            When a model is to be published and ``metadata["at"]``, its time in the log, is missing or not finite: this
            time decides which versions keep their bytes.
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
        """Return the number of the first version that has learned from all rows up to this position, None for none."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
