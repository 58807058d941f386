"""Send random requests to every endpoint of the running service, as docs/openapi.json describes the endpoints.

Runs after `make fuzz` has made ``build/fuzz/tools``. The service runs once with each clock. The command fails where an
answer has a status of 500 or above, or a status, media type, header or content that the document does not name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.running_service import run_service

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
BUILD = ROOT / "build" / "fuzz"
CLOCKS = ("wall", "request")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
)


def strict_document(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without the answers of name ``default``, which would make every status a documented one.

    >>> operation = {"responses": {"200": {}, "default": {}}}
    >>> strict_document({"paths": {"/healthz": {"get": operation}}})
    {'paths': {'/healthz': {'get': {'responses': {'200': {}}}}}}
    """
    paths = {
        path: {method: _without_default(operation) for method, operation in methods.items()}
        for path, methods in document["paths"].items()
    }
    return document | {"paths": paths}


def _without_default(operation: dict[str, Any]) -> dict[str, Any]:
    answers = {status: answer for status, answer in operation["responses"].items() if status != "default"}
    return operation | {"responses": answers}


def fuzz(clock: str, examples: int, seed: int) -> bool:
    """Run the service with a clock, send the requests, and return whether every answer was as documented."""
    BUILD.mkdir(parents=True, exist_ok=True)
    schema = BUILD / "openapi.json"
    schema.write_text(json.dumps(strict_document(json.loads(DOCUMENT.read_text(encoding="utf-8")))), encoding="utf-8")
    with run_service("--clock", clock, "--seed", str(seed)) as url:
        command = [
            *(str(BUILD / "tools" / "bin" / "schemathesis"), "run", str(schema), "--url", url),
            *("--checks", ",".join(CHECKS), "--max-examples", str(examples), "--seed", str(seed)),
            *("--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off"),
            *("--report", "ndjson", "--report-dir", str(BUILD / clock)),
        ]
        return subprocess.run(command, cwd=BUILD, check=False).returncode == 0


def main(words: Sequence[str] | None = None) -> int:
    """Fuzz with every clock, and return 1 if an answer was not as documented."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="requests of each kind to an endpoint, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, action="append", help="fuzz with this clock only")
    options = parser.parse_args(words)
    results = [fuzz(clock, options.examples, options.seed) for clock in options.clock or CLOCKS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
