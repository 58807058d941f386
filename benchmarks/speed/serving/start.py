"""Start the service as ``decision-service serve`` does, with the routes of `noop`, and perhaps with Serve's own proxy.

``python -m benchmarks.speed.serving.start serve|ingress OPTION=VALUE …``
"""

from __future__ import annotations

import sys
from typing import Any

from decision_service.cli import serve
from decision_service.runtime import haproxy
from decision_service.settings import Settings

_MODULE = "benchmarks.speed.serving.start"


def main(proxy: str, *options: str) -> int:
    """Run the service until it is stopped; ``proxy`` is ``ingress`` for ours, ``serve`` for Serve's default one."""
    if proxy == "serve":
        _hide_haproxy()
    application = f"{_MODULE}:build_for_{proxy}"
    return serve.run(dict(option.split("=", 1) for option in options), application=application)


def build_for_ingress(settings: Settings) -> Any:
    """Return the Serve application of a service behind the project's own ingress."""
    from benchmarks.speed.serving.noop import build_application

    return build_application(settings)


def build_for_serve(settings: Settings) -> Any:
    """Return the Serve application of a service behind Serve's default proxy; the driver calls this function."""
    _hide_haproxy()
    return build_for_ingress(settings)


def _hide_haproxy() -> None:
    """Let this process find no HAProxy, as on a platform that has none."""
    haproxy.find_binary = lambda: None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
