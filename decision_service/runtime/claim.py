"""Taking a data directory for one service, also from a service that was killed and still dies."""

from __future__ import annotations

import time

from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory, Hold
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.say import Say

_DYING_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.1


def claim(data: DataDirectory, say: Say) -> Hold:
    """Hold the data directory and clear what the run before left, if it was killed.

    Raises
    ------
    StartRefused
        When a service runs on the directory; names its process.
    """
    hold = data.hold() or _inherit(data, say)
    run = data.last_run()
    if run is not None:
        ended = leftovers.clear(data, run)
        hold.forget()
        say(f"The last run was killed: removed what it left, {ended} processes among it")
    return hold


def _inherit(data: DataDirectory, say: Say) -> Hold:
    run = data.last_run()
    if run is None or run.is_alive():
        raise _in_use(data)
    say("A killed run on this data directory is still stopping; waiting for it …")
    deadline = time.monotonic() + _DYING_WITHIN_S
    while time.monotonic() < deadline:
        if (hold := data.hold()) is not None:
            return hold
        time.sleep(_LOOK_EVERY_S)
    leftovers.clear(data, run)
    hold = data.hold()
    if hold is None:
        raise _in_use(data)
    return hold


def _in_use(data: DataDirectory) -> StartRefused:
    run = data.last_run()
    user = "another service" if run is None else f"the service of process {run.pid} at {run.url}"
    return StartRefused(f"--data-dir: {data.path} is used by {user}; stop it or choose another directory")
