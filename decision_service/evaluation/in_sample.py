"""In sample: whether a target is evaluated on rewards from which it was learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import floor

from decision_service.schemas.decision_answer import iso
from offline_eval.diagnostics.verdict import Finding, Level
from offline_eval.logs.decisions import LoggedDecision


class InSampleCheck:
    """Counts decisions from which a target may have been learned.

    Weighting is right only for a target that was learned from other rewards: of many joint actions, a target prefers
    the one with the luckiest rewards among those it was learned from. Reward models are fitted without the shopper for
    whom they predict, but a version is learned from all shoppers. Decisions are counted by time, which every log has:
    a version was not learned from a decision that was made after the latest time in its data.

    Parameters
    ----------
    name
        The name of the target in the finding.
    learned_at
        The latest time in the data that the target was learned from.
    is_other
        Whether the target is the other policy of a difference.
    """

    def __init__(self, name: str, learned_at: float, *, is_other: bool = False) -> None:
        self._name, self._learned_at = name, learned_at
        self._code = "against.in_sample" if is_other else "in_sample"
        self._decisions = self._before = 0

    def watch(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedDecision]:
        """Yield the decisions unchanged, and count them."""
        for decision in decisions:
            self._decisions += 1
            self._before += decision.at <= self._learned_at
            yield decision

    def findings(self) -> list[Finding]:
        """Return a warning where there were such decisions."""
        if not self._before:
            return []
        after = iso(floor(self._learned_at) + 1.0)
        text = (
            f"{self._before:,} of {self._decisions:,} decisions were made before {self._name} was learned and may have "
            f"taught it, so it looks better than it is: judge it by later ones (--from {after})"
        )
        return [Finding(Level.caution, self._code, text)]
