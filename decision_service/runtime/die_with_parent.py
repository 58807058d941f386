"""Run a program that dies with its parent: ``python die_with_parent.py PROGRAM ARGUMENT…``.

This file uses the standard library alone and imports no package of ours, so it starts in some 20 ms and from any
directory.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def wrap_command(program: Sequence[str]) -> list[str]:
    """Return the command line that runs a program so that the program dies with the process that starts it.

    >>> wrap_command(["redis-server", "--port", "0"])[-3:]
    ['redis-server', '--port', '0']
    """
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), *program]


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies. Only Linux can do so; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    die_with_parent()
    os.execv(sys.argv[1], sys.argv[1:])
