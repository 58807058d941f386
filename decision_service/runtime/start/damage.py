"""The search for damage in the log that runs while Ray starts."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from decision_service.runtime.errors import StartRefused
from decision_service.runtime.start.stores import check_log
from decision_service.settings import Settings

_WITHIN_S = 8.0
"""Ray takes about as long to start."""


@contextmanager
def look_for_damage(settings: Settings) -> Iterator[None]:
    """Search the log for damage in a thread of low priority, while the work inside the context runs.

    Raises
    ------
    StartRefused
        At the end of the work, when the log is damaged.
    """
    refusals: list[StartRefused] = []

    def look() -> None:
        with suppress(OSError):  # on Linux a thread has a priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        try:
            check_log(settings, _WITHIN_S)
        except StartRefused as refusal:
            refusals.append(refusal)

    thread = threading.Thread(target=look, name="look for damage", daemon=True)
    thread.start()
    yield
    thread.join()
    for refusal in refusals:
        raise refusal
