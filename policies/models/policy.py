"""Policies: a model scores the joint actions, an exploration turns the scores into a distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.rulebook import Rulebook
from policies.models.compiled import ModelSnapshot
from policies.models.exploration import Exploration, Greedy, check_epsilon, with_floor
from policies.records.rows import Context, PolicyRecord
from policies.rules.arbitration import Eligibility, Eligibles

DEFAULT_EPSILON = 0.02


@dataclass(frozen=True)
class Assessment:
    """The scores of all joint actions and, from a model that knows them, their opt-out probabilities.

    Both arrays have shape (n,). HOLD is the joint action without features: its score is exactly 0.
    """

    scores: FloatArray
    p_out: FloatArray | None = None


class Model(Protocol):
    """A model scores joint actions."""

    def assess(self, context: Context, rulebook: Rulebook) -> Assessment:
        """Return the scores of all sends of the rulebook's action space in this context."""
        ...


@dataclass(frozen=True)
class Distribution:
    """Probabilities (K,) over the eligible set (sends by number, then HOLD) and opt-out probabilities (K,)."""

    probabilities: FloatArray
    p_out: FloatArray | None = None


@dataclass(frozen=True)
class Distributions:
    """Distributions of a list of requests (r) over all joint actions (n); HOLD is column n.

    ``probabilities`` (r, n + 1) are 0 for what is not eligible. ``p_out`` (r, n + 1) are the opt-out probabilities of
    a model that knows them; 0 for HOLD, and of no meaning for what is not eligible.
    """

    probabilities: FloatArray
    p_out: FloatArray | None = None


@dataclass(frozen=True)
class Policy:
    """Maps a context and an eligible set to a distribution; a policy never chooses.

    A policy without a model is uniform over the eligible set. Every other policy mixes its distribution with the
    floor of `exploration.with_floor`.

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
        """The policy's name, version and mode, as the log and the answer state them."""
        return PolicyRecord(self.name, self.version, self.mode)

    def distributions(self, eligibles: Eligibles, rulebook: Rulebook) -> Distributions:
        """Return the distributions over eligible sets, none of which may be empty.

        A send is assessed in the context of the trigger that it answers. A request's distribution is the same to the
        byte, whatever other requests are in the list.
        """
        probabilities, p_out = np.zeros(eligibles.mask.shape), np.zeros(eligibles.mask.shape)
        knows_p_out = False
        for number, mask in enumerate(eligibles.mask):
            distribution = self.distribution(eligibles.contexts[number], eligibles[number], rulebook)
            probabilities[number, mask] = distribution.probabilities
            if distribution.p_out is not None:
                p_out[number, mask], knows_p_out = distribution.p_out, True
        return Distributions(probabilities, p_out if knows_p_out else None)

    def distribution(self, contexts: Sequence[Context], eligibility: Eligibility, rulebook: Rulebook) -> Distribution:
        """Return the distribution over the eligible set, which must not be empty.

        ``contexts`` holds one context per trigger of the request: a send is assessed in the context of the trigger
        that it answers.
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
        answers = triggers == trigger
        scores[answers] = assessment.scores[eligibility.sends[answers]]
        if assessment.p_out is not None:
            p_out = np.zeros(len(scores)) if p_out is None else p_out
            p_out[answers] = assessment.p_out[eligibility.sends[answers]]
    return Assessment(scores, p_out)


@dataclass(frozen=True)
class PolicyFactory:
    """One kind of policy: its name in commands, settings and the log, and how it is made.

    ``description`` completes the sentence "The policy is …". ``make`` returns the policy of a service that has
    learned nothing yet. A policy that learns also has ``make_version``: it makes the policy of a model version.
    """

    name: str
    description: str
    make: Callable[[Rulebook], Policy]
    make_version: Callable[[ModelSnapshot, Rulebook, int], Policy] | None = None

    @property
    def learns(self) -> bool:
        return self.make_version is not None
