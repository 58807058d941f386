"""A learning curve as results, as a table, in words and as a plot."""

from __future__ import annotations

from benchmarks.page import number, with_interval
from decision_service.cli.charts import colours_of, lines
from decision_service.cli.measurements import Measured
from simulators.experiments.learning_curve import LEARNER, LearningCurve
from simulators.experiments.mean_estimate import MeanEstimate

UNIT = "expected reward per shopper and episode"


def to_measurements(curve: LearningCurve) -> list[Measured]:
    """Return the values of all contenders at the end, and the learner's differences to the others."""
    end = len(curve.steps) - 1
    values = {LEARNER: curve.value(end), **{name: curve.value_of(name) for name in curve.others}}
    return [
        *(_measure(f"agents.{name}.value", value) for name, value in values.items()),
        *(_measure(f"agents.{LEARNER}.minus_{name}", curve.difference(end, name)) for name in curve.others),
    ]


def to_curve_measurements(curve: LearningCurve) -> list[Measured]:
    """Return the learner's value, and the differences to the others, at every checkpoint."""
    results = []
    for checkpoint, steps in enumerate(curve.steps):
        results.append(_measure(f"agents.curve.{steps}.value", curve.value(checkpoint)))
        for name in curve.others:
            results.append(_measure(f"agents.curve.{steps}.minus_{name}", curve.difference(checkpoint, name)))
    return results


def to_table(curve: LearningCurve) -> str:
    """Return the curve as a Markdown table: the value, and the paired difference to every contender.

    >>> import numpy as np
    >>> runs = [np.array([0.0, 1.0]), np.array([1.0, 0.0])], [np.array([3.0, 4.0]), np.array([4.1, 3.1])]
    >>> curve = LearningCurve([0, 1_000], runs, {"rule": [np.array([1.0, 2.0]), np.array([2.0, 1.0])]})
    >>> print(to_table(curve))
    | steps | value | minus rule |
    |--:|--:|---|
    | 0 | 0.5 | -1 (-1 to -1) |
    | 1,000 | 3.55 | 2.05 (1.415 to 2.685) |
    <BLANKLINE>
    >>> describe(curve)
    'After 1,000 steps MaskablePPO earns more than rule: 2.05 (1.415 to 2.685) (differences per shopper).'
    >>> to_measurements(curve)[-1].name, draw(curve).count("masked_ppo")
    ('agents.masked_ppo.minus_rule', 1)
    """
    heads = [f"minus {name.replace('_', ' ')}" for name in curve.others]
    rows = [f"| steps | value | {' | '.join(heads)} |", f"|--:|--:|{'---|' * len(heads)}"]
    for checkpoint, steps in enumerate(curve.steps):
        cells = [with_interval(curve.difference(checkpoint, name)) for name in curve.others]
        rows.append(f"| {steps:,} | {number(curve.value(checkpoint).value)} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def describe(curve: LearningCurve) -> str:
    """Return in words how the learner compares with each contender at the end of the curve."""
    end = len(curve.steps) - 1
    clauses = [_describe(curve.difference(end, name), name.replace("_", " ")) for name in curve.others]
    return f"After {curve.steps[end]:,} steps MaskablePPO earns {'; '.join(clauses)} (differences per shopper)."


def draw(curve: LearningCurve) -> str:
    """Return the curve as a plot: differences to the rule, with the band of the learner."""
    differences = curve.minus_rule()
    colours, label = colours_of(list(differences)), "value per shopper minus the rule's value"
    return lines(differences, colours, x=curve.steps, xlabel="steps learned from", ylabel=label, shows_band=True)


def _describe(difference: MeanEstimate, name: str) -> str:
    words = {1: "more than", -1: "less than", 0: "neither clearly more nor less than"}[difference.sign]
    return f"{words} {name}: {with_interval(difference)}"


def _measure(name: str, estimate: MeanEstimate) -> Measured:
    return Measured(name, estimate.value, estimate.low, estimate.high, UNIT)
