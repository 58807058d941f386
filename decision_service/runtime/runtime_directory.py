"""The short private directory of a run's sockets.

A Unix socket's path may have 107 bytes (103 on macOS), Ray and HAProxy put up to 73 of their own after ours,
and a data directory may be of any depth: so sockets live under the system's temporary directory.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from decision_service.runtime.errors import StartRefused

_PREFIX = "decide-"
_TOKEN = "token"
_SOCKET_LIMIT = 103 if sys.platform == "darwin" else 107
# The longest that follows: "/h/" + node id (56) + "/a" + HAProxy's ".<pid>.tmp" while it binds.
_LONGEST_SUFFIX = len("/h/") + 56 + len("/a") + len(".4194304.tmp")
_NAME = len(f"/{_PREFIX}") + 8


@dataclass(frozen=True)
class RuntimeDirectory:
    """A run's directory of sockets; everything in it may be deleted once the run has ended."""

    path: Path

    @classmethod
    def create(cls, token: str) -> RuntimeDirectory:
        """Make one for the run of this token.

        Raises
        ------
        StartRefused
            When no temporary directory has a path short enough.
        """
        for parent in (Path(tempfile.gettempdir()).resolve(), Path("/tmp")):
            if len(os.fsencode(parent)) + _NAME + _LONGEST_SUFFIX <= _SOCKET_LIMIT and os.access(parent, os.W_OK):
                path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
                (path / _TOKEN).write_text(token)
                return cls(path)
        raise StartRefused(f"TMPDIR: {tempfile.gettempdir()} is too long for Unix sockets and /tmp not writable")

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens."""
        return self.path / "redis.sock"

    @property
    def ray(self) -> Path:
        """Ray's temporary directory."""
        return self.path / "r"

    @property
    def ray_logs(self) -> Path:
        """The logs of Ray's current session."""
        return self.ray / "session_latest" / "logs"

    @property
    def haproxy(self) -> Path:
        """HAProxy's configuration and sockets."""
        return self.path / "h"

    def pin(self) -> int:
        """Lock the directory against systemd's cleaning of old temporary files; return the descriptor."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return fd

    def belongs_to(self, token: str) -> bool:
        """Return whether this is the directory of the run of this token."""
        try:
            return (self.path / _TOKEN).read_text() == token
        except OSError:
            return False

    def remove(self) -> None:
        """Delete it with all it holds; what vanishes meanwhile is no error."""
        shutil.rmtree(self.path, ignore_errors=True)
