"""A process in the place of an agent of Ray: ``python idle_agent.py … --session-dir=PATH --node-id=ID …``.

The raylet starts an agent for Ray's dashboard and an agent that makes runtime environments, and ends when one of them
dies. The service has neither a dashboard nor runtime environments. So the raylet gets two processes that wait and do
nothing. Nothing in them can fail, and they need little memory. This file uses the standard library alone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

_NOT_IN_USE = "-1"
_PORTS = ("dashboard_agent_listen_port", "metrics_agent_port", "metrics_export_port", "runtime_env_agent_port")
"""Files in which the raylet looks for the ports of its agents; an agent without a port writes -1."""


def write_ports(arguments: Sequence[str]) -> None:
    """Write that no agent listens into the session directory that the arguments of the agent name."""
    options = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    for port in _PORTS:
        path = os.path.join(options["--session-dir"], f"{port}_{options['--node-id']}")
        half = f"{path}.{os.getpid()}"
        with open(half, "w") as file:
            file.write(_NOT_IN_USE)
        os.replace(half, path)  # the raylet never reads half a number


if __name__ == "__main__":
    write_ports(sys.argv[1:])
    while True:
        signal.pause()
