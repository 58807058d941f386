"""The outcomes of faults as a table and as measurements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.faults.fault import Repeated
from decision_service.cli.measurements import Measured


def to_table(all_repeated: Iterable[Repeated]) -> str:
    """Return the outcomes as a Markdown table, in the order of their numbers.

    >>> from benchmarks.faults.fault import Fault, Outcome
    >>> fall = Outcome(("a cap was passed",), 3.04)
    >>> print(to_table([Repeated(Fault(7, "fall", "it falls", "caps hold", lambda directory: fall), fall)]))
    | number | what was done | rule | outage s | held |
    |--:|---|---|--:|---|
    | 7 | it falls | caps hold | 3.0 | no: a cap was passed |
    <BLANKLINE>
    """
    lines = ["| number | what was done | rule | outage s | held |", "|--:|---|---|--:|---|"]
    for repeated in sorted(all_repeated, key=lambda one: (one.fault.number, one.fault.name)):
        fault, outcome = repeated.fault, repeated.outcome
        held = "yes" if outcome.held else "no: " + "; ".join(outcome.broken)
        lines.append(f"| {fault.number} | {fault.action} | {fault.rule} | {outcome.outage_s:.1f} | {held} |")
    return "\n".join([*lines, ""])


def to_measurements(all_repeated: Sequence[Repeated]) -> list[Measured]:
    """Return two measurements per fault: whether the rule held (1 or 0), and the outage."""
    return [
        measured
        for repeated in all_repeated
        for measured in (
            Measured(f"{_name(repeated)}.held", float(repeated.outcome.held), unit="1: the rule held"),
            Measured(f"{_name(repeated)}.outage_s", repeated.outcome.outage_s, unit="s without a normal answer"),
        )
    ]


def _name(repeated: Repeated) -> str:
    return f"faults.{repeated.fault.number}.{repeated.fault.name}"
