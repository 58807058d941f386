"""Start the service as ``decision-service serve`` does, with the routes of `noop`, and perhaps with Serve's own proxy.

``python -m benchmarks.speed.serving.start serve|ingress OPTION=VALUE …``
"""

from __future__ import annotations

import sys

from decision_service.cli import serve
from decision_service.runtime import haproxy

APPLICATION = "benchmarks.speed.serving.noop:build_application"


def main(proxy: str, *options: str) -> int:
    """Run the service until it is stopped; ``proxy`` is ``ingress`` for ours, ``serve`` for Serve's default one."""
    if proxy == "serve":
        haproxy.find_binary = lambda: None  # as on a platform without HAProxy
    return serve.run(dict(option.split("=", 1) for option in options), application=APPLICATION)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
