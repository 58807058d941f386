"""Calibration: served frequencies against logged propensities."""

from __future__ import annotations

import numpy as np
import pytest

from offline_eval import (
    SNIPW,
    Evaluation,
    Question,
)
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.verdict import Level
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.targets import UniformTarget
from offline_eval.weighing import Weighing
from policies.catalogue.action_space import JointAction
from tests.offline_eval.reporting import codes


def test_served_frequencies_know_a_logged_number_that_was_not_drawn_with() -> None:
    """Every draw is logged with probability .9 although it is made evenly (as a softmax logged beside an argmax)."""
    random = np.random.default_rng(15)
    honest, wrong = ServedFrequencies(), ServedFrequencies()
    for _ in range(2_000):
        position = int(random.integers(0, 2))
        honest.add(["a", "b"], np.array([0.5, 0.5]), position)
        wrong.add(["a", "b"], np.array([0.6, 0.4]), position)
    assert honest.p_value() > 1e-3
    assert wrong.p_value() < 1e-6
    assert (honest + honest).frequencies()[0].drawn == 2 * honest.frequencies()[0].drawn
    assert ServedFrequencies().p_value() == 1.0


def test_frequencies_of_joint_actions_are_tested_within_a_channel() -> None:
    """The log claims an even choice of two push messages, and always serves the first."""
    actions = (JointAction("hint", "push", 0), JointAction("reminder", "push", 0))
    log = [LoggedDecision(f"e-{n}", f"s-{n}", 0.0, {}, actions, np.full(2, 0.5), 0, float(n % 2)) for n in range(3_000)]
    weighing, evaluation = Weighing(UniformTarget()), Evaluation(Question([SNIPW()]))
    for rows in weighing.batches(log):
        evaluation.add(rows)
    report = evaluation.report(served=weighing.served)
    assert codes(report) == {"propensity_calibration": Level.do_not_use}
    assert "hint/push/0 was drawn 3,000 times, 1,500.0 were expected" in report.verdict.findings[0].text
    assert [(frequency.label, frequency.drawn) for frequency in report.diagnostics.served] == [("push", 3_000)]


def test_rare_joint_actions_raise_no_false_alarm() -> None:
    """In 60 honest logs of 400 draws among 300 joint actions, some drawn once that were expected .001 times."""
    random = np.random.default_rng(23)
    probabilities = 1 / np.arange(1, 301) ** 2
    probabilities /= probabilities.sum()
    names = [f"a-{number}" for number in range(300)]
    p_values, surprises = [], []
    for _ in range(60):
        served = ServedFrequencies()
        for position in random.choice(300, 400, p=probabilities).tolist():
            served.add(names, probabilities, position)
        p_values.append(served.p_value())
        surprises.append(max(frequency.z for frequency in served.frequencies()))
    assert min(p_values) > 1e-3
    assert max(surprises) > 5


def test_rounded_propensities_of_a_certain_choice_are_no_surprise() -> None:
    served = ServedFrequencies()
    for _ in range(5_000):
        served.add(["a", "b"], np.array([1 + 5e-7, 0.0]), 0)
    assert served.p_value() == 1.0


def test_frequencies_are_counted_in_bounded_memory_and_merge() -> None:
    whole, parts = ServedFrequencies(), [ServedFrequencies(), ServedFrequencies()]
    for number in range(3_000):
        names = ["common", f"rare-{number}"]
        for served in (whole, parts[number // 1_500]):
            served.add(names, np.array([0.5, 0.5]), number % 2)
    frequencies = {frequency.label: frequency for frequency in whole.frequencies()}
    merged = {frequency.label: frequency for frequency in (parts[0] + parts[1]).frequencies()}
    assert len(frequencies) == 1_001
    assert (frequencies["common"].drawn, frequencies["(others)"].drawn) == (1_500, 1_001)
    assert sum(frequency.expected for frequency in frequencies.values()) == pytest.approx(3_000)
    assert merged["common"] == frequencies["common"]
    assert sum(frequency.drawn for frequency in merged.values()) == 3_000
    assert whole.p_value() == pytest.approx(1.0)
