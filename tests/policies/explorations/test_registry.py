from __future__ import annotations

import pytest

from policies.explorations.registry import EXPLORATIONS, make_exploration
from policies.explorations.softmax import Softmax
from policies.explorations.thompson import ThompsonSampling


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
