"""Policies: a model scores the joint actions, an exploration turns the scores into a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.models.exploration import Exploration, FloatArray, Greedy, check_epsilon, with_floor
from policies.records.rows import Context, PolicyRecord
from policies.rules.arbitration import Eligibility

DEFAULT_EPSILON = 0.02


@dataclass(frozen=True)
class Assessment:
    """What a model says of every joint action: its score and, if it knows it, its opt-out probability.

    Both have shape (n,). HOLD is the joint action without features: its score is exactly 0.
    """

    scores: FloatArray
    p_out: FloatArray | None = None


class Model(Protocol):
    """What scores joint actions."""

    def assess(self, context: Context, rulebook: Rulebook) -> Assessment:
        """Score every send of the rulebook's action space in this context."""
        ...


@dataclass(frozen=True)
class Distribution:
    """Probabilities (K,) over the eligible set (sends by number, then HOLD) and opt-out probabilities (K,)."""

    probabilities: FloatArray
    p_out: FloatArray | None = None


@dataclass(frozen=True)
class Policy:
    """Maps a context and an eligible set to a distribution; never chooses.

    A policy without a model is uniform over the eligible set. As served, every other policy carries
    the floor of `exploration.with_floor`.

    Raises
    ------
    ValueError
        When ``epsilon`` is outside its range (see `exploration.check_epsilon`).
    """

    name: str
    model: Model | None = None
    exploration: Exploration = field(default_factory=Greedy)
    epsilon: float = DEFAULT_EPSILON
    version: int = 0
    learns: bool = False
    mode: str = "frozen"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, learns=self.learns)

    @property
    def record(self) -> PolicyRecord:
        """How the log and the answer name this policy."""
        return PolicyRecord(self.name, self.version, self.mode)

    def distribution(self, contexts: Sequence[Context], eligibility: Eligibility, rulebook: Rulebook) -> Distribution:
        """Give the distribution over the eligible set.

        ``contexts`` holds one context per trigger of the request: a send is assessed in the context of
        the trigger that it answers. The eligible set must not be empty.
        """
        if self.model is None:
            return Distribution(np.full(eligibility.size, 1.0 / eligibility.size))
        assessment = _assess(self.model, contexts, eligibility, rulebook)
        explored = self.exploration.explore(assessment.scores, hold=eligibility.hold)
        slots = rulebook.space.slots[eligibility.sends]
        probabilities = with_floor(explored, assessment.scores, slots, self.epsilon)
        p_out = assessment.p_out
        if p_out is not None and eligibility.hold:
            p_out = np.append(p_out, 0.0)
        return Distribution(probabilities, p_out)


def _assess(model: Model, contexts: Sequence[Context], eligibility: Eligibility, rulebook: Rulebook) -> Assessment:
    """Assess the eligible sends (S,), each in the context of the trigger that it answers."""
    triggers = eligibility.trigger_of[eligibility.sends]
    scores = np.zeros(len(eligibility.sends))
    p_out: FloatArray | None = None
    for trigger in np.unique(triggers):
        assessment = model.assess(contexts[trigger], rulebook)
        own = triggers == trigger
        scores[own] = assessment.scores[eligibility.sends[own]]
        if assessment.p_out is not None:
            p_out = np.zeros(len(scores)) if p_out is None else p_out
            p_out[own] = assessment.p_out[eligibility.sends[own]]
    return Assessment(scores, p_out)


def uniform_policy() -> Policy:
    """Every eligible joint action alike, HOLD included: the baseline that explores most."""
    return Policy("uniform")


@dataclass(frozen=True)
class CatalogueOrder:
    """The order in which a catalogue lists things, as scores: first message, first channel, shortest delay.

    This is what a shop without learning does: a fixed message for each trigger, at once, on the first
    permitted channel. Every send scores above HOLD.
    """

    def assess(self, context: Context, rulebook: Rulebook) -> Assessment:
        """Score every send by its place in the catalogue."""
        return Assessment(np.arange(len(rulebook.space), 0, -1, dtype=np.float64))


def rule_policy(epsilon: float = DEFAULT_EPSILON) -> Policy:
    """The business rule: see `CatalogueOrder`."""
    return Policy("rule", model=CatalogueOrder(), epsilon=epsilon)
