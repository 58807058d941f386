"""In sample: whether a target is judged by rewards that it was learned from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import floor

from decision_service.schemas.decision_answer import iso
from offline_eval.diagnostics.verdict import Finding, Level
from offline_eval.logs.decisions import LoggedDecision


class InSample:
    """Counts decisions that may have taught a target.

    Weighting is right only for a target that does not know the rewards it is judged by: of many joint actions the one
    that was luckiest in the log is the one that it learned to prefer. Reward models are fitted without the shopper they
    predict for; a version was learned from everybody. Counted by time, which every log tells: a decision made later
    than all that the version knew cannot have taught it.

    Parameters
    ----------
    name
        What to call the target.
    learned_at
        The latest time that it knew when it was learned.
    is_other
        Whether it is the other policy, of a difference.
    """

    def __init__(self, name: str, learned_at: float, *, is_other: bool = False) -> None:
        self._name, self._learned_at = name, learned_at
        self._code = "against.in_sample" if is_other else "in_sample"
        self._decisions = self._before = 0

    def watched(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedDecision]:
        """Pass decisions on."""
        for decision in decisions:
            self._decisions += 1
            self._before += decision.at <= self._learned_at
            yield decision

    def findings(self) -> list[Finding]:
        """Warn where there were such decisions."""
        if not self._before:
            return []
        after = iso(floor(self._learned_at) + 1.0)
        text = (
            f"{self._before:,} of {self._decisions:,} decisions were made before {self._name} was learned and may have "
            f"taught it, so it looks better than it is: judge it by later ones (--from {after})"
        )
        return [Finding(Level.caution, self._code, text)]
