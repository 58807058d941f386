"""The distribution: the lower floors work with what the core brings, and what an extra brings is asked for by name."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.test_architecture import ROOT, imports, read_modules

LOWER_FLOORS = ("policies", "offline_eval", "simulators")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

READ_AS_DATA = {"tzdata"}

INSTALLED = ("vw", "models", "plots", "serve", "dev")
"""The extras that `make install` installs."""

BLOCK = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocker())
"""

IMPORT_ALL = """
import importlib
for name in MODULES: importlib.import_module(name)
"""

ASK_FOR_EXTRAS = """
import numpy as np
from offline_eval.reward_models import default_model
from offline_eval.vw_target import VwTarget
from policies.models.vw import TwoHeads
for ask in (TwoHeads, lambda: VwTarget("--cb_explore_adf"), lambda: default_model(np.zeros(2))):
    try: ask()
    except Exception as error: print(type(error).__name__, error)
"""

WORK = """
from offline_eval import LoggedBatch, evaluate
from policies.catalogue.document import Reward
from policies.models.registry import POLICIES
from simulators.scenario import SCENARIOS
from simulators.world.world import World
make_learner = POLICIES["bayes"].learning.make_learner
make_learner(make_learner(None).to_bytes()).publish(Reward())
evaluate(LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.8, 0.2]))
World(SCENARIOS["stationary"], 20, 1).step()
"""


def names_of(requirements: Iterable[str]) -> set[str]:
    return {normal(Requirement(text).name) for text in requirements}


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def with_dependencies(names: set[str]) -> set[str]:
    """Return distributions with all that they need, without extras."""
    closure: set[str] = set()
    waiting = [*names]
    while waiting:
        if (name := waiting.pop()) not in closure:
            closure.add(name)
            waiting += find_needs(name)
    return closure


def find_needs(name: str) -> Iterator[str]:
    try:
        wanted = [Requirement(text) for text in requires(name) or ()]
    except PackageNotFoundError:  # one for another platform or version of Python
        return
    for one in wanted:
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            yield normal(one.name)


def run_with_the_core_alone(*programs: str) -> str:
    """Run a program in an interpreter that can import the lower floors and what the core brings; return the output."""
    core = with_dependencies(names_of(PROJECT["dependencies"]))
    owned = {name: set(map(normal, owners)) for name, owners in packages_distributions().items()}
    blocked = {name for name, owners in owned.items() if not core & owners} | {
        "decision_service",
        "benchmarks",
        "tests",
    }
    modules = sorted(name for package in LOWER_FLOORS for name in read_modules(package))
    facts = f"BLOCKED = {blocked - set(LOWER_FLOORS)!r}\nMODULES = {modules!r}\n"
    program = facts + BLOCK + "".join(programs)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_lower_floors_work_with_the_core_alone_and_name_the_extra_that_they_need() -> None:
    asked = run_with_the_core_alone(IMPORT_ALL, WORK, ASK_FOR_EXTRAS).splitlines()
    assert asked == [
        "VwMissing Vowpal Wabbit is not installed: pip install 'notification-decision-service[vw]'",
        "NotAvailable Vowpal Wabbit is not installed: pip install 'notification-decision-service[vw]'",
        "NotAvailable scikit-learn is not installed: pip install 'notification-decision-service[models]'",
    ]


def test_the_command_line_without_its_extra_says_how_to_install_it() -> None:
    program = f"BLOCKED = {{'typer'}}\n{BLOCK}\nimport runpy\nrunpy.run_module('decision_service', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    words = "decision-service: the service is not installed: pip install 'notification-decision-service[serve]'\n"
    assert (done.returncode, done.stderr) == (1, words)


def test_a_report_without_its_extra_is_refused_before_the_first_hour(tmp_path: Path) -> None:
    command = f"['', 'simulate', '--report', {str(tmp_path / 'r.html')!r}]"
    program = (
        f"BLOCKED = {{'matplotlib'}}\n{BLOCK}sys.argv = {command}\nfrom decision_service.__main__ import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install 'notification-decision-service[plots]'" in done.stderr.replace("\n", "")


def first_imports(tree: ast.Module) -> set[str]:
    """Return the libraries that are imported when a module is imported, and not in a function or for types alone."""
    statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name.partition(".")[0] for statement in statements for name in imports(ast.Module([statement], []))}


def test_the_core_is_what_the_lower_floors_import() -> None:
    owners = packages_distributions()
    modules = [tree for package in LOWER_FLOORS for tree in read_modules(package).values()]
    libraries = {name for tree in modules for name in first_imports(tree)}
    core = libraries - sys.stdlib_module_names - set(LOWER_FLOORS) - {"pydantic_core"}
    assert {normal(owners[name][0]) for name in core} | READ_AS_DATA == names_of(PROJECT["dependencies"])


def test_all_brings_the_service_the_models_and_the_plots() -> None:
    (everything,) = map(Requirement, EXTRAS["all"])
    (vw, *_) = map(Requirement, EXTRAS["serve"])
    assert everything.extras | vw.extras == {"vw", "models", "plots", "serve"}


def test_what_make_installs_is_pinned() -> None:
    pins = {
        normal(pin.name): pin
        for line in Path(ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#") and (pin := Requirement(line))
    }
    wanted = [
        Requirement(text)
        for texts in (PROJECT["dependencies"], *(EXTRAS[extra] for extra in INSTALLED))
        for text in texts
    ]
    libraries = [one for one in wanted if one.name != PROJECT["name"]]
    unpinned = [
        str(one)
        for one in libraries
        if normal(one.name) not in pins
        or not one.specifier.contains(str(pins[normal(one.name)].specifier).removeprefix("=="))
    ]
    assert unpinned == []
