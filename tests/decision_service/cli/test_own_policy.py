"""Own policies of a command: a factory or a function in a module, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from decision_service.cli import replay, simulate
from decision_service.cli.own_policy import find_policy, make_source
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import POLICIES
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import FixedPolicy
from tests.decision_service.cli.test_command_line import transactions

MODULE = """
from policies.models.policy import Policy
from policies.models.registry import POLICIES

factory = POLICIES["default"]
nothing = 7

def uniform(rulebook):
    return Policy("mine")

def wrong(rulebook):
    return 7

def unmakeable(rulebook):
    return {}["no such key"]

class Divider:
    def assess(self, inputs, rulebook):
        return 1 / 0

def breaks(rulebook):
    return Policy("mine", model=Divider())
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_policies.py").write_text(MODULE)
    (tmp_path / "broken_policies.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "my_policies"


def test_a_module_of_the_working_directory_brings_a_factory_or_a_function(
    module: str, example_rulebook: Rulebook
) -> None:
    assert find_policy("rule") is POLICIES["rule"]
    assert isinstance(make_source(find_policy(f"{module}:factory"), example_rulebook), LearningPolicy)
    even = find_policy(f"{module}:uniform")
    assert even.name == "uniform"
    assert isinstance(make_source(even, example_rulebook), FixedPolicy)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (
            "best",
            f"policy must be one of {', '.join(POLICIES)}, or my_module:my_policy, not 'best'",
        ),
        (":uniform", "or my_module:my_policy"),
        ("no_such_module:policy", "cannot be loaded: ModuleNotFoundError"),
        ("my_policies:none", "cannot be loaded: AttributeError"),
        ("broken_policies:policy", "cannot be loaded: ZeroDivisionError"),
        ("my_policies:nothing", "is neither a PolicyFactory nor a function"),
        ("my_policies:wrong", "must return a Policy, not int"),
        ("my_policies:unmakeable", "my_policies:unmakeable failed with KeyError: 'no such key'"),
    ],
)
def test_what_is_no_policy_is_refused(module: str, example_rulebook: Rulebook, name: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="policy") as error:
        make_source(find_policy(name), example_rulebook)
    assert complaint in str(error.value)


def test_a_policy_with_the_name_of_a_baseline_is_refused(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its results would stand under the name of the baseline."""
    name = f"{module}:uniform"
    options = simulate.SimulateOptions(
        "stationary", 2, 1, 1, 1, name, None, None, baselines=True, json=None, report=None
    )
    assert simulate.run(options) == 1
    assert replay.run(transactions(tmp_path), replay.ReplayOptions(policy=name)) == 1
    errors = " ".join(capsys.readouterr().err.split())
    assert errors.count(f"policy: {name} has the name of a baseline, uniform") == 2


@pytest.mark.parametrize(
    ("policy", "error"),
    [("unmakeable", "KeyError: 'no such key'"), ("breaks", "ZeroDivisionError: division by zero")],
)
def test_the_error_of_a_policy_is_named_below_its_traceback(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str, error: str
) -> None:
    name = f"{module}:{policy}"
    options = simulate.SimulateOptions(
        "stationary", 20, 1, 1, 1, name, None, None, baselines=False, json=None, report=None
    )
    assert simulate.run(options) == 1
    assert replay.run(transactions(tmp_path), replay.ReplayOptions(policy=name)) == 1
    errors = capsys.readouterr().err
    *_, of_simulate, of_replay = (line for line in errors.splitlines() if line.startswith("decision-service: "))
    for line in (of_simulate, of_replay):
        assert line.startswith("decision-service: policy: ")
        assert f"{policy} failed with {error}" in line
    assert errors.count('my_policies.py", line') >= 2
    assert errors.count(f"\n{error}\n") == 2
