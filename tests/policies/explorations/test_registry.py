from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.explorations.registry import EXPLORATIONS, find_parameters, make_exploration
from policies.explorations.softmax import Softmax
from policies.explorations.thompson import ThompsonSampling
from policies.models.policy import Policy

PAGE = (Path(__file__).parents[3] / "docs" / "policies.md").read_text(encoding="utf-8")


def test_an_exploration_is_made_by_its_name_and_parameters() -> None:
    assert make_exploration("softmax", temperature=0.1) == Softmax(0.1)
    assert make_exploration("thompson") == ThompsonSampling(draws=16)
    assert [*EXPLORATIONS] == ["greedy", "epsilon-greedy", "softmax", "difference-softmax", "inverse-gap", "thompson"]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("ucb", {}, "there is no exploration 'ucb'; known are greedy, epsilon-greedy, "),
        ("softmax", {}, "the exploration 'softmax' needs temperature"),
        ("softmax", {"tau": 0.1}, "the exploration 'softmax' takes no 'tau', but temperature"),
    ],
)
def test_a_wrong_name_is_refused(name: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_exploration(name, **parameters)


def test_the_page_names_the_explorations_and_their_parameters() -> None:
    (chapter,) = re.findall(r"^## Explorations$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    rows = [line.split("|") for line in chapter.splitlines() if line.startswith("| `")]
    on_page = {re.findall("`(.*)`", row[1])[0]: re.findall("`([a-z_]+)`", row[2]) for row in rows}
    assert on_page == {name: [*find_parameters(name)] for name in EXPLORATIONS}


def test_the_example_of_the_page_runs() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert isinstance(names["policy"], Policy)
