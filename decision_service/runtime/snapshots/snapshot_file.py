"""The file of the last snapshot, in a directory that nobody else reads."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

NAME = "states.rdb"
_SET_ASIDE = "states.damaged.rdb"
_UNFINISHED = "temp-*.rdb"
"""Redis writes a snapshot under such a name, and renames it when it is whole and on the disk."""


@dataclass(frozen=True)
class SnapshotFile:
    """The file of the last snapshot, and the unfinished files beside it.

    Parameters
    ----------
    directory
        Made when absent, for its owner only.
    """

    directory: Path

    @property
    def path(self) -> Path:
        return self.directory / NAME

    @property
    def _aside(self) -> Path:
        return self.directory / _SET_ASIDE

    def prepare(self) -> None:
        """Make the directory, and delete the unfinished files of a run that was killed."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in (self._aside, *self.directory.glob(_UNFINISHED)):
            left.unlink(missing_ok=True)

    def set_aside(self) -> bool:
        """Take the snapshot out of the way of the next start; return False where there is none."""
        if not self.path.exists():
            return False
        self.path.replace(self._aside)
        return True

    def put_back(self) -> None:
        """Undo `set_aside`."""
        self._aside.replace(self.path)

    def delete(self) -> bool:
        """Delete the snapshot, also one that was set aside; return False where there is none."""
        existed = self.path.exists() or self._aside.exists()
        for file in (self.path, self._aside):
            file.unlink(missing_ok=True)
        return existed

    def free_room(self) -> int:
        """Return how many bytes the disk has left."""
        return shutil.disk_usage(self.directory).free
