"""The private directory of a run's sockets, with a short path.

The path of a Unix socket may have 107 bytes (103 on macOS). Ray and HAProxy append up to 73 bytes to our path, and a
data directory may be of any depth. So the sockets are under the system's temporary directory. Ray and HAProxy paste
these paths into command lines, configurations, URLs and patterns, so a path has plain characters only.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from decision_service.runtime.errors import StartRefused

_PREFIX = "decide-"
_TOKEN = "token"
_SOCKET_LIMIT = 103 if sys.platform == "darwin" else 107
# The longest suffix: "/h/" + node id (56) + "/a" + HAProxy's ".<pid>.tmp" while it binds.
_LONGEST_SUFFIX = len("/h/") + 56 + len("/a") + len(".4194304.tmp")
_NAME = len(f"/{_PREFIX}") + 8


_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class RuntimeDirectory:
    """The directory of a run's sockets. Everything in it may be deleted once the run has ended."""

    path: Path

    @classmethod
    def create(cls, token: str) -> RuntimeDirectory:
        """Make the directory of the run with this token.

        Raises
        ------
        StartRefused
            When no temporary directory has a path that is short and plain enough.
        """
        for parent in (Path(tempfile.gettempdir()).resolve(), Path("/tmp")):
            if _is_suitable(parent) and os.access(parent, os.W_OK | os.X_OK):
                path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
                (path / _TOKEN).write_text(token)
                return cls(path)
        raise StartRefused(
            f"TMPDIR: {tempfile.gettempdir()!r} is too long for Unix sockets, or has other characters than letters, "
            "digits and . _ - /, and /tmp is not writable; choose another directory"
        )

    @property
    def redis_socket(self) -> Path:
        """Socket of the embedded Redis."""
        return self.path / "redis.sock"

    @property
    def ray(self) -> Path:
        """Ray's temporary directory."""
        return self.path / "r"

    @property
    def ray_logs(self) -> Path:
        """Directory of the log files of Ray's current session."""
        return self.ray / "session_latest" / "logs"

    @property
    def haproxy(self) -> Path:
        """Directory of HAProxy's configuration and sockets."""
        return self.path / "h"

    @property
    def ingress(self) -> Path:
        """Directory of the configuration and the sockets of the ingress."""
        return self.path / "i"

    @property
    def serve_socket(self) -> Path:
        """Socket of Serve's HAProxy, on which it answers requests."""
        return self.path / "serve"

    def pin(self) -> int:
        """Lock the directory so that systemd does not clean it up as an old temporary file; return the descriptor."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return fd

    def belongs_to(self, token: str) -> bool:
        """Return whether this is the directory of the run with this token."""
        try:
            return (self.path / _TOKEN).read_text() == token
        except OSError:
            return False

    def remove(self) -> None:
        """Delete the directory and its contents; a file that vanishes meanwhile is no error."""
        shutil.rmtree(self.path, ignore_errors=True)


def _is_suitable(parent: Path) -> bool:
    is_short = len(os.fsencode(parent)) + _NAME + _LONGEST_SUFFIX <= _SOCKET_LIMIT
    return is_short and _PLAIN.fullmatch(str(parent)) is not None
