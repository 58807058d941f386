"""Run a program that dies with its parent: ``python die_with_parent.py PARENT PROGRAM ARGUMENT…``.

PARENT is the process id of the parent, 0 where it is not known.

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
_UNKNOWN = 0


def wrap_command(program: Sequence[str], parent: int = _UNKNOWN) -> list[str]:
    """Return the command line that runs a program so that the program dies with the process that starts it.

    ``parent`` is the id of that process, where the caller knows it: then the program does not run at all if the process
    dies before the program is bound to it.

    >>> wrap_command(["redis-server", "--port", "0"])[-4:]
    ['0', 'redis-server', '--port', '0']
    """
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(parent), *program]


def die_with_parent(parent: int = _UNKNOWN) -> None:
    """Ask the kernel to kill this process when its parent dies. Only Linux can do so; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent not in (_UNKNOWN, os.getppid()):
        sys.exit("the parent has died")


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
