"""The learner of the policy `default`: two heads in Vowpal Wabbit, and what their outcomes are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Reward
from policies.catalogue.rulebook import Rulebook
from policies.learning.interactions import Interaction
from policies.learning.mean import Mean
from policies.learning.model_learner import FIRST_KIND, ModelMismatch
from policies.models.compiled import CompiledModel, ModelSnapshot, check_equal, collisions
from policies.models.features import example_text, shared_tokens
from policies.models.vw import BITS, OPTIONS, OUT_START, POSITIVE_START, TwoHeads
from policies.records.model_input import ModelInput
from policies.records.rows import DecisionRow

_OPTIMISM = 2.0
"""How many times the cost of its opt-outs an unlearned send is expected to gain."""


class _Saved(msgspec.Struct):
    learned: int
    gains: dict[str, Mean]
    complaint_loss: Mean
    heads: bytes


class VwLearner:
    """Learns whether a send has a positive outcome, whether it costs a consent, and what both are worth.

    Parameters
    ----------
    saved
        What `to_bytes` returned; None for a learner that has learned nothing.
    """

    kind: ClassVar[str] = FIRST_KIND

    def __init__(self, saved: bytes | None = None) -> None:
        state = _Saved(0, {}, Mean(), b"") if saved is None else msgspec.msgpack.decode(saved, type=_Saved)
        self._heads = TwoHeads.from_bytes(state.heads) if state.heads else TwoHeads()
        self._gains, self._complaint_loss, self._learned = state.gains, state.complaint_loss, state.learned

    @property
    def learned(self) -> int:
        """How many interactions were learned; corrections are not counted."""
        return self._learned

    def learn(self, interaction: Interaction) -> None:
        """Learn an interaction in one step; a correction is a step of its own."""
        result, before = interaction.result, interaction.before
        text = example_text(interaction.context, interaction.action, interaction.category)
        self._heads.learn(text, positive=result.is_positive, opted_out=result.opted_out)
        for message in ("", interaction.action.message):
            mean = self._gains.get(message, Mean())
            if before is not None and before.is_positive:
                mean = mean.plus(before.gain, -1.0)
            self._gains[message] = mean.plus(result.gain) if result.is_positive else mean
        if before is not None and before.opted_out:
            self._complaint_loss = self._complaint_loss.plus(before.complaint_loss, -1.0)
        if result.opted_out:
            self._complaint_loss = self._complaint_loss.plus(result.complaint_loss)
        self._learned += before is None

    def snapshot(self, reward: Reward) -> ModelSnapshot:
        """Return the model as it is published, before it is written as bytes."""
        positive, out = self._heads.weights()
        overall = self._gains.get("", Mean()).towards(unlearned_worth(reward))
        return ModelSnapshot(
            options=OPTIONS,
            learned=self._learned,
            positive=(positive.indices.tobytes(), positive.values.tobytes()),
            out=(out.indices.tobytes(), out.values.tobytes()),
            worth={message: mean.towards(overall) for message, mean in sorted(self._gains.items())} | {"": overall},
            complaint_loss=self._complaint_loss.towards(0.0),
        )

    def see(self, row: DecisionRow, rulebook: Rulebook) -> None:
        """See a decision: this learner learns nothing from decisions alone."""

    def publish(self, reward: Reward) -> bytes:
        """Return the model as it is published."""
        return self.snapshot(reward).to_bytes()

    def prove(self, payload: bytes, space: ActionSpace, inputs: Sequence[ModelInput]) -> None:
        """Prove that a published model scores like Vowpal Wabbit, and that no crossed features collide.

        Raises
        ------
        ModelMismatch
            When the model may not be published.
        """
        # VW counts its predictions in what it saves, so the learner's heads must never predict.
        heads = TwoHeads.from_bytes(self._heads.to_bytes())
        contexts = [model_input.context for model_input in inputs]
        check_equal(heads, CompiledModel(ModelSnapshot.from_bytes(payload), space, OPTIONS), space, contexts)
        tokens = {token for context in contexts for values in shared_tokens(context).values() for token in values}
        colliding = collisions(space, sorted(tokens), BITS)
        if colliding:
            raise ModelMismatch(f"{colliding} features share a weight with another feature: rename a message")

    def to_bytes(self) -> bytes:
        """Return everything that was learned."""
        gains = dict(sorted(self._gains.items()))
        return msgspec.msgpack.encode(_Saved(self._learned, gains, self._complaint_loss, self._heads.to_bytes()))


def unlearned_worth(reward: Reward) -> float:
    """Return the prior worth of a positive outcome, high enough that a fresh service sends.

    At the start biases the gain of a send is then `_OPTIMISM` times the cost of its opt-outs.
    """
    odds = (1 + math.exp(-POSITIVE_START)) / (1 + math.exp(-OUT_START))
    return max(reward.click, _OPTIMISM * reward.consent_value * odds)
