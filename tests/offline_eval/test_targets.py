"""Targets: a policy of others cannot change the log, and every failure of it is named."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from offline_eval import BadData, NotAvailable
from offline_eval.logs.decisions import HOLD, LoggedDecision, PolicyInputs
from offline_eval.targets import CallableTarget, TableTarget, ask_target
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.shopper_numbers import ShopperNumbers
from tests.factories import small_document, trigger

RULEBOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)


def decision() -> LoggedDecision:
    numbers = np.array([0, RULEBOOK.space.hold])
    return LoggedDecision(
        "e-1",
        "s-1",
        0.0,
        {"device": "mobile"},
        (RULEBOOK.space[0], HOLD),
        np.array([0.5, 0.5]),
        0,
        1.0,
        labels={"channel": "push"},
        policy_inputs=PolicyInputs(RULEBOOK, (trigger(),), numbers, np.array([0, -1]), ShopperNumbers()),
    )


def arrays_of(logged: LoggedDecision) -> list[np.ndarray]:
    assert logged.policy_inputs is not None
    return [logged.probabilities, logged.policy_inputs.numbers, logged.policy_inputs.trigger_of]


@pytest.mark.parametrize("copy_of", [deepcopy, lambda logged: pickle.loads(pickle.dumps(logged))])
def test_a_copy_of_a_decision_can_be_read_only_too(copy_of: Callable[[LoggedDecision], LoggedDecision]) -> None:
    logged = replace(decision(), policy_inputs=None)
    copied = copy_of(logged)
    assert (copied.context, copied.labels, copied.actions) == (logged.context, logged.labels, logged.actions)
    assert copied.probabilities.tolist() == logged.probabilities.tolist()
    with pytest.raises(TypeError):
        copied.labels["channel"] = "email"  # type: ignore[index]
    assert not copied.probabilities.flags.writeable


def test_what_a_decision_holds_can_be_read_only() -> None:
    probabilities = np.array([0.5, 0.5])
    logged = replace(decision(), probabilities=probabilities)
    probabilities[0] = 9.0
    assert logged.probabilities[0] == 0.5
    for array in arrays_of(logged):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    for values in (logged.context, logged.labels):
        with pytest.raises(TypeError):
            values["device"] = "desktop"  # type: ignore[index]


def test_a_callable_may_write_over_its_copy() -> None:
    logged = decision()

    def scribble(copied: LoggedDecision) -> np.ndarray:
        assert copied.policy_inputs is not None
        copied.policy_inputs.triggers[0].attributes["category"] = "forged"
        for array in arrays_of(copied):
            array[:] = 1
        copied.context.clear()  # type: ignore[attr-defined]
        copied.labels.clear()  # type: ignore[attr-defined]
        return np.array([1.0, 0.0])

    before = decision()
    assert ask_target(CallableTarget(scribble), logged, 1).tolist() == [1.0, 0.0]
    assert [array.tolist() for array in arrays_of(logged)] == [array.tolist() for array in arrays_of(before)]
    assert (logged.context, logged.labels) == (before.context, before.labels)
    assert logged.policy_inputs is not None
    assert before.policy_inputs is not None
    assert logged.policy_inputs.triggers == before.policy_inputs.triggers


def test_a_callable_may_use_its_array_again() -> None:
    shared = np.array([1.0, 0.0])
    first = ask_target(CallableTarget(lambda _: shared), decision(), 1)
    shared[:] = [0.0, 1.0]
    assert first.tolist() == [1.0, 0.0]


def fail(_: LoggedDecision) -> np.ndarray:
    raise KeyError("price")


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (fail, "the policy raised KeyError: 'price'"),
        (lambda _: 1 / 0, "the policy raised ZeroDivisionError: division by zero"),
        (lambda _: "half", "is 'half', not an array of probabilities"),
        (lambda _: [10**400, 0], "is .*, not an array of probabilities"),
        (lambda _: [0.5, 0.6], "sums to 1.1, must sum to 1"),
    ],
)
def test_a_policy_that_fails_is_named_by_row_and_event(function: Any, complaint: str) -> None:
    with pytest.raises(BadData, match=f"row 7, event 'e-1', column target distribution: {complaint}"):
        ask_target(CallableTarget(function), decision(), 7)
    placed = replace(decision(), place="a.dsjson, row 9")
    with pytest.raises(BadData, match=f"a.dsjson, row 9, event 'e-1', column target distribution: {complaint}"):
        ask_target(CallableTarget(function), placed, 7)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no_such_module:policy", "cannot be imported: No module named"),
        ("math:no_such_function", "cannot be imported: module 'math' has no attribute"),
        ("math:pi", "is 3.14.*, not a function"),
        ("", "cannot be imported"),
    ],
)
def test_what_is_no_function_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(NotAvailable, match=complaint):
        CallableTarget.from_name(name)


def test_a_table_cannot_tell_apart_actions_of_one_name() -> None:
    logged = LoggedDecision("e-1", "e-1", 0.0, {}, ("x", "x"), np.array([0.5, 0.5]), 0, 1.0)
    with pytest.raises(
        NotAvailable, match="event 'e-1': 'x' is the name of 2 actions, which a table cannot tell apart"
    ):
        TableTarget({"e-1": {"x": 1.0}}).distribution(logged)
