"""The learned policy: a model of two heads, scores made from what outcomes are worth, and a greedy exploration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.document import Reward
from policies.catalogue.rulebook import Rulebook
from policies.explorations.greedy import Greedy
from policies.models.compiled import CompiledModel, ModelMismatch, ModelSnapshot
from policies.models.policy import Assessment, Policy, PolicyFactory
from policies.models.vw import OPTIONS, OUT_START, POSITIVE_START
from policies.records.rows import Context

LEARNED_BEFORE_HOLD = 1_000
"""Interactions to learn before the greedy part may hold: HOLD teaches nothing."""

_OPTIMISM = 2.0
"""How many times the cost of its opt-outs an unlearned send is expected to gain."""


@dataclass(frozen=True)
class LearnedModel:
    """score = p_positive · worth - costs - (consent value + complaint loss) · p_out.

    ``worth`` (n,) is the expected gain of a positive outcome. ``out_price`` is the cost of a lost consent: the
    catalogue's consent value plus the mean loss by complaints.
    """

    compiled: CompiledModel
    worth: FloatArray
    out_price: float

    @classmethod
    def of(cls, snapshot: ModelSnapshot, rulebook: Rulebook, options: dict[str, str | int | float]) -> LearnedModel:
        """Compile a model version for a catalogue version.

        Raises
        ------
        ModelMismatch
            When the model was made with other options.
        """
        compiled = CompiledModel(snapshot, rulebook.space, options)
        overall = snapshot.worth[""]
        by_message = np.array([snapshot.worth.get(name, overall) for name in rulebook.space.messages])
        out_price = rulebook.catalogue.reward.consent_value + snapshot.complaint_loss
        return cls(compiled, by_message[rulebook.space.message_of], out_price)

    def assess(self, contexts: Sequence[Context], rulebook: Rulebook) -> Assessment:
        """Return the scores of all sends in each context; HOLD's score is exactly 0."""
        prediction = self.compiled.predict(contexts)
        value = prediction.p_positive * self.worth - rulebook.costs
        return Assessment(value - self.out_price * prediction.p_out, prediction.p_out)


def learned_policy(snapshot: ModelSnapshot, rulebook: Rulebook, number: int) -> Policy:
    """Return the learned policy of a model version.

    Raises
    ------
    ModelMismatch
        When the model cannot be scored here, or its scores are not finite.
    """
    model = LearnedModel.of(snapshot, rulebook, OPTIONS)
    if not np.isfinite(model.assess([{"local_hour": 12.0}], rulebook).scores).all():
        raise ModelMismatch("its scores are not finite")
    exploration = Greedy(sends_only=snapshot.learned < LEARNED_BEFORE_HOLD)
    return Policy("default", model, exploration, version=number, learns=True, mode="online")


def empty_snapshot(reward: Reward) -> ModelSnapshot:
    """Return the model of a service that has learned nothing: start biases only."""
    return ModelSnapshot(OPTIONS, 0, (b"", b""), (b"", b""), {"": unlearned_worth(reward)}, 0.0)


def unlearned_worth(reward: Reward) -> float:
    """Return the prior worth of a positive outcome, high enough that a fresh service sends.

    At the start biases the gain of a send is then `_OPTIMISM` times the cost of its opt-outs.
    """
    odds = (1 + math.exp(-POSITIVE_START)) / (1 + math.exp(-OUT_START))
    return max(reward.click, _OPTIMISM * reward.consent_value * odds)


def unlearned_policy(rulebook: Rulebook) -> Policy:
    return learned_policy(empty_snapshot(rulebook.catalogue.reward), rulebook, 0)


DEFAULT = PolicyFactory("default", "the learned policy", unlearned_policy, learned_policy)
