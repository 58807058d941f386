"""Generate clients from docs/openapi.json, type-check them, and let each ask the running service for a decision.

Runs after `make clients` has made ``build/clients/tools`` (Python and Java generators) and ``build/clients/npm``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.running_service import run_service

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
SOURCES = Path(__file__).parent
BUILD = ROOT / "build" / "clients"
TOOLS = BUILD / "tools" / "bin"
NPM = BUILD / "npm" / "node_modules" / ".bin"

_GENERATED_JAVA = """package javax.annotation;

public @interface Generated {
    String[] value();

    String comments() default "";
}
"""
"""The one class that generated Java needs beside the libraries in the generator's jar."""


@dataclass(frozen=True)
class Client:
    """A generated client: the commands that make and check it, and the one that asks a service for a decision."""

    name: str
    make: list[list[str]]
    decide: list[str]


def python_client() -> Client:
    """Prepare the client of openapi-python-client."""
    home = _empty("python")
    package = home / "notification_decision_service_client"
    shutil.copy(SOURCES / "decide.py", home)
    python, generator = str(TOOLS / "python"), str(TOOLS / "openapi-python-client")
    return Client(
        "Python",
        [
            [generator, "generate", "--path", str(DOCUMENT), "--output-path", str(package), "--meta", "none"],
            [python, "-m", "mypy", "--strict", "--config-file=", str(home / "decide.py")],
        ],
        [python, str(home / "decide.py")],
    )


def typescript_client() -> Client:
    """Prepare the types of openapi-typescript."""
    home = _empty("typescript")
    schema = str(home / "schema.d.ts")
    shutil.copy(SOURCES / "decide.ts", home)
    (home / "package.json").write_text('{"type": "module"}')
    # A field with a default is one that a request may leave out.
    generate = [str(NPM / "openapi-typescript"), str(DOCUMENT), "--default-non-nullable", "false", "--output", schema]
    compile_ = [
        *(str(NPM / "tsc"), "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"),
        str(home / "decide.ts"),
    ]
    return Client("TypeScript", [generate, compile_], ["node", str(home / "decide.js")])


def java_client() -> Client:
    """Prepare the client of openapi-generator; the libraries that it needs are in the generator's own jar."""
    home = _empty("java")
    classes, annotation = home / "classes", home / "src" / "main" / "java" / "Generated.java"
    annotation.parent.mkdir(parents=True)
    annotation.write_text(_GENERATED_JAVA)
    (jar,) = TOOLS.parent.glob("lib/*/site-packages/openapi_generator_cli/openapi-generator.jar")
    options = "openApiNullable=false,hideGenerationTimestamp=true"
    generate = [
        *(str(TOOLS / "openapi-generator-cli"), "generate", "--generator-name", "java", "--library", "native"),
        *("--input-spec", str(DOCUMENT), "--output", str(home), "--additional-properties", options),
    ]
    sources = ["sh", "-c", f"find '{home}/src/main' -name '*.java' > '{home}/sources'"]
    compile_ = [
        *("javac", "-nowarn", "-classpath", str(jar), "-d", str(classes)),
        *(f"@{home}/sources", str(SOURCES / "Decide.java")),
    ]
    return Client("Java", [generate, sources, compile_], ["java", "-classpath", f"{jar}:{classes}", "Decide"])


def _empty(name: str) -> Path:
    """Make an empty directory for a client."""
    home = BUILD / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home


def try_clients(clients: list[Client]) -> Iterator[str]:
    """Make every client, then let each decide; yield a line per client."""
    for client in clients:
        for command in client.make:
            _run(command)
    with run_service() as url:
        for client in clients:
            yield f"{client.name}: {_run([*client.decide, url]).strip()}"


def _run(command: list[str]) -> str:
    """Run a command; return its output, or end with all that it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    for line in try_clients([python_client(), typescript_client(), java_client()]):
        sys.stdout.write(f"{line}\n")
