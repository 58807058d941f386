"""The schedule of snapshots: when one is due, by the changes in Redis and by the time since the last one."""

from __future__ import annotations

from dataclasses import dataclass

MOST_AGE_S = 300.0
"""After this time a snapshot is made even if only one thing changed."""

LEAST_AGE_S = 30.0
MANY_CHANGES = 400_000
"""With so many changes a snapshot is made sooner. A send makes some ten changes; a start folds so many in seconds."""

_SHARE_OF_TIME = 20.0
"""A snapshot is not made before this many times the duration of the last one: so they take a twentieth of the time."""

_RESERVE = 16 * 2**20


@dataclass(frozen=True)
class RedisStatus:
    """What a Redis says about its data and its snapshots.

    Attributes
    ----------
    changes
        How many keys and fields were changed since the last snapshot.
    is_saving, has_failed
        Whether a snapshot is being made; whether the last one could not be made.
    took_s
        How long the last one took, 0 for none.
    memory
        Bytes of all data. A snapshot has at most about as many.
    """

    changes: int
    is_saving: bool
    has_failed: bool
    took_s: float
    memory: int

    @classmethod
    def parse(cls, info: str) -> RedisStatus:
        r"""Read the answer to ``INFO``.

        >>> RedisStatus.parse("rdb_changes_since_last_save:7\r\nused_memory:900\r\n")
        RedisStatus(changes=7, is_saving=False, has_failed=False, took_s=0.0, memory=900)
        """
        values = dict(line.partition(":")[::2] for line in info.splitlines())
        return cls(
            changes=int(values.get("rdb_changes_since_last_save", 0)),
            is_saving=values.get("rdb_bgsave_in_progress") == "1" or values.get("loading") == "1",
            has_failed=values.get("rdb_last_bgsave_status") == "err",
            took_s=max(0.0, float(values.get("rdb_last_bgsave_time_sec", 0))),
            memory=int(values.get("used_memory", 0)),
        )

    @property
    def needs_room(self) -> int:
        """Bytes that must be free on the disk: a snapshot never takes the room that the log needs."""
        return 2 * self.memory + _RESERVE


def is_due(status: RedisStatus, age_s: float) -> bool:
    """Return whether a snapshot is to be made now.

    >>> busy = RedisStatus(changes=1_000_000, is_saving=False, has_failed=False, took_s=3.0, memory=2**30)
    >>> is_due(busy, age_s=45.0), is_due(busy, age_s=60.0)
    (False, True)

    Parameters
    ----------
    status
        What Redis says.
    age_s
        The time since the last snapshot was begun, whether it could be made or not.
    """
    if status.is_saving or not status.changes:
        return False
    least_s = LEAST_AGE_S if status.changes >= MANY_CHANGES and not status.has_failed else MOST_AGE_S
    return age_s >= max(least_s, _SHARE_OF_TIME * status.took_s)
