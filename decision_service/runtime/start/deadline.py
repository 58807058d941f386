"""A deadline for what may wait for ever, such as Ray's start in an environment that Ray does not understand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from decision_service.runtime.start.limits import describe_limits

_MOST_OF_A_LOG = 65_536
_SIGNS = (" E ", " C ", "ERROR", "Error:", "FATAL")


@contextmanager
def end_after(seconds: float, explain: Callable[[], str | None], report: Callable[[str], None]) -> Iterator[None]:
    """End this process when the work inside the context takes longer.

    The work may wait where no signal and no exception reaches Python, so a thread ends the process.

    Parameters
    ----------
    seconds
        How long the work may take.
    explain
        Returns what did not happen, or None when the work only needs more time.
    report
        Shows the reason to the person who started the service.
    """

    def expire() -> None:
        if (reason := explain()) is not None:
            report(f"{reason} within {seconds:.0f} s")
            os._exit(1)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def describe_start(logs: Path) -> str:
    """Return what is known of Ray's start: the last error in Ray's logs, and the limits of the system that are set.

    Parameters
    ----------
    logs
        The directory of Ray's log files.
    """
    errors = [f"{file.name}: {line}" for file in sorted(logs.glob("*")) if (line := _find_last_error(file))]
    known = [*errors[-1:], *filter(None, [describe_limits()])]
    return "; ".join(known) or "nothing more is known"


def _find_last_error(file: Path) -> str | None:
    try:
        text = file.read_bytes()[-_MOST_OF_A_LOG:].decode(errors="replace")
    except OSError:  # a directory, or a file that vanished
        return None
    return next((line.strip() for line in reversed(text.splitlines()) if any(sign in line for sign in _SIGNS)), None)
