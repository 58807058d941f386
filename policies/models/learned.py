"""The learned model: scores from the two heads and what outcomes are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.models.compiled import CompiledModel, ModelSnapshot
from policies.models.exploration import FloatArray
from policies.models.policy import Assessment
from policies.records.rows import Context


@dataclass(frozen=True)
class LearnedModel:
    """score = p_positive · worth - costs - (consent value + complaint loss) · p_out.

    ``worth`` (n,) is the expected gain of a positive outcome, ``out_price`` what losing a consent costs:
    the catalogue's consent value and what complaints add to it on average.
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

    def assess(self, context: Context, rulebook: Rulebook) -> Assessment:
        """Score every send; HOLD's score is exactly 0."""
        prediction = self.compiled.predict(context)
        value = prediction.p_positive * self.worth - rulebook.costs
        return Assessment(value - self.out_price * prediction.p_out, prediction.p_out)
