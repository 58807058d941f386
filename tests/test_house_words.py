"""The words of the house: how functions and variables are named, how a docstring begins, where a module's test is.

Each rule is a function of one parsed module, and a test plants a violation of each. CONTRIBUTING.md says the words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("policies", "offline_eval", "simulators", "decision_service")
CHECKED = (*PACKAGES, "benchmarks", "tests")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Offence = tuple[int, str]
"""Line and what is wrong there."""

VERBS_THAT_END_LIKE_PARTICIPLES = {
    *("bleed", "breed", "embed", "exceed", "feed", "heed", "need", "proceed", "seed", "shed", "speed", "succeed"),
}
IRREGULAR_PARTICIPLES = {
    *("begun", "broken", "built", "chosen", "done", "drawn", "driven", "fallen", "found", "frozen", "given"),
    *("gone", "grown", "held", "hidden", "kept", "known", "laid", "left", "lost", "made", "meant", "met", "paid"),
    *("proven", "said", "seen", "sent", "shown", "sold", "spent", "spoken", "sworn", "taken", "taught", "thought"),
    *("thrown", "told", "won", "worn", "woven", "written"),
}
NO_NOUNS = {
    *("again", "against", "and", "as", "at", "back", "by", "down", "early", "for", "from", "in", "into", "late", "of"),
    *("off", "on", "once", "or", "out", "outside", "over", "per", "then", "to", "under", "up", "with", "within"),
}
"""Words after which a participle is still the whole name: ``taken_back``, unlike the noun ``degraded_row``."""

VAGUE_VARIABLES = {"each", "own", "given", "found"}
NAMED_BY_NOUNS = {"property", "cached_property", "classmethod", "setter"}
"""Decorators of values and constructors, which may be adjectives: ``order.is_paid``, ``Rulebook.shared``."""


def is_participle(word: str) -> bool:
    regular = word.endswith("ed") and len(word) > 3 and word not in VERBS_THAT_END_LIKE_PARTICIPLES
    return regular or word in IRREGULAR_PARTICIPLES


def decorators(function: Function) -> set[str]:
    names = set()
    for node in function.decorator_list:
        target = node.func if isinstance(node, ast.Call) else node
        names.add(target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", ""))
    return names


def participle_functions(tree: ast.Module) -> Iterator[Offence]:
    """A function is named by a verb in the imperative (``join``) or a noun (``joined_rows``), not by a participle."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and not decorators(node) & NAMED_BY_NOUNS:
            first, *rest = node.name.strip("_").split("_")
            if is_participle(first) and (not rest or rest[0] in NO_NOUNS):
                yield node.lineno, f"function {node.name} is named by a past participle"


def identifiers_that_tell(tree: ast.Module) -> Iterator[Offence]:
    """``told`` says neither what a value is nor where it comes from."""
    for node in ast.walk(tree):
        for name in identifiers(node):
            if "told" in name.lower().split("_"):
                yield getattr(node, "lineno", 1), f"identifier {name}"


def identifiers(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.arg | ast.keyword):
        yield node.arg or ""
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.rpartition(".")[2]
    elif isinstance(node, Function | ast.ClassDef):
        yield node.name


def vague_variables(tree: ast.Module) -> Iterator[Offence]:
    """A variable is a noun: ``for send in sends``, not ``for each in own``."""
    for node in ast.walk(tree):
        stored = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None
        name = node.arg if isinstance(node, ast.arg) else stored
        if name is not None and name.strip("_") in VAGUE_VARIABLES:
            yield getattr(node, "lineno", 1), f"variable {name}"


def docstrings_that_give(tree: ast.Module) -> Iterator[Offence]:
    """A docstring says "Return …": a function returns a value, it gives or tells nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if re.match(r"(Give|Tell)s?\b", first):
                yield getattr(node, "lineno", 1), f"docstring begins: {first[:50]}"


RULES: list[Callable[[ast.Module], Iterator[Offence]]] = [
    participle_functions,
    identifiers_that_tell,
    vague_variables,
    docstrings_that_give,
]


@pytest.mark.parametrize("package", CHECKED)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_code_keeps_the_rule(rule: Callable[[ast.Module], Iterator[Offence]], package: str) -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in rule(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not offences, f"{len(offences)} offences\n" + "\n".join(offences)


@pytest.mark.parametrize(
    ("rule", "planted", "allowed"),
    [
        (participle_functions, "def joined(rows): ...", "def join(rows): ..."),
        (participle_functions, "class C:\n    async def _taken_of(self): ...", "def embed(text): ..."),
        (participle_functions, "def taken_back(): ...", "def degraded_row(): ..."),
        (participle_functions, "def seen(row): ...", "class C:\n    @property\n    def kept(self): ..."),
        (participle_functions, "@fixture(scope='module')\ndef served(): ...", "def is_kept(row): ..."),
        (identifiers_that_tell, "told = 1", "untold = 1"),
        (identifiers_that_tell, "def f(*, as_told): ...", "'told'"),
        (identifiers_that_tell, "class C:\n    def told(self): ...", "def tolerate(): ..."),
        (identifiers_that_tell, "f(told=1)", "f(thresholds=1)"),
        (vague_variables, "for each in rows: ...", "for row in rows: ..."),
        (vague_variables, "[each for each in rows]", "from hypothesis import given"),
        (vague_variables, "def f(own): ...", "own_rows = 1"),
        (vague_variables, "if found := f(): ...", "row.found"),
        (docstrings_that_give, 'def f():\n    """Give the row."""', 'def f():\n    """Return the row."""'),
        (docstrings_that_give, '"""Tells whether."""', '"""Telling apart."""'),
    ],
)
def test_a_planted_offence_is_found(
    rule: Callable[[ast.Module], Iterator[Offence]], planted: str, allowed: str
) -> None:
    assert list(rule(ast.parse(planted)))
    assert not list(rule(ast.parse(allowed)))
