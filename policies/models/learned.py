"""The policy `default`: a model of two heads, scores made from what outcomes are worth, and a greedy exploration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.document import Reward
from policies.catalogue.rulebook import Rulebook
from policies.explorations.greedy import Greedy
from policies.learning.model_learner import ModelMismatch
from policies.models.compiled import CompiledModel, ModelSnapshot
from policies.models.policy import Assessment, LearningParts, Policy, PolicyFactory
from policies.models.vw import OPTIONS
from policies.models.vw_learner import VwLearner, unlearned_worth
from policies.records.model_input import ModelInput

LEARNED_BEFORE_HOLD = 1_000
"""Interactions to learn before the greedy part may hold: HOLD teaches nothing."""


@dataclass(frozen=True)
class LearnedModel:
    """score = p_positive · worth - costs - (consent value + complaint loss) · p_out.

    ``worth`` (n,) is the expected gain of a positive outcome. ``out_price`` is the cost of a lost consent: the
    catalogue's consent value plus the mean loss by complaints. The model knows no probability of a click alone.
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

    def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
        """Return the scores of all sends for each input; HOLD's score is exactly 0."""
        prediction = self.compiled.predict([model_input.context for model_input in inputs])
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
    if not np.isfinite(model.assess([ModelInput({"local_hour": 12.0})], rulebook).scores).all():
        raise ModelMismatch("its scores are not finite")
    exploration = Greedy(sends_only=snapshot.learned < LEARNED_BEFORE_HOLD)
    return Policy("default", model, exploration, version=number, learns=True, mode="online")


def empty_snapshot(reward: Reward) -> ModelSnapshot:
    """Return the model of a service that has learned nothing: start biases only."""
    return ModelSnapshot(OPTIONS, 0, (b"", b""), (b"", b""), {"": unlearned_worth(reward)}, 0.0)


def unlearned_policy(rulebook: Rulebook) -> Policy:
    return learned_policy(empty_snapshot(rulebook.catalogue.reward), rulebook, 0)


def _make_version(payload: bytes, rulebook: Rulebook, number: int) -> Policy:
    return learned_policy(ModelSnapshot.from_bytes(payload), rulebook, number)


LEARNING = LearningParts(VwLearner, _make_version)
DEFAULT = PolicyFactory("default", "the learned policy", unlearned_policy, LEARNING)
