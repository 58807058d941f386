"""The business rule: what a shop without learning does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import DEFAULT_EPSILON, Assessment, Policy, PolicyFactory
from policies.records.model_input import ModelInput


@dataclass(frozen=True)
class CatalogueOrder:
    """The order of the catalogue as scores: first message, first channel, shortest delay.

    So the shop sends a fixed message for each trigger, at once, on the first permitted channel. Every send scores
    above HOLD.
    """

    def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
        """Return the scores of all sends by their place in the catalogue."""
        return Assessment.of_all(inputs, np.arange(len(rulebook.space), 0, -1, dtype=np.float64))


def rule_policy(epsilon: float = DEFAULT_EPSILON) -> Policy:
    """Return the business rule with a floor of mass ``epsilon``."""
    return Policy("rule", model=CatalogueOrder(), epsilon=epsilon)


RULE = PolicyFactory("rule", "the business rule", lambda rulebook: rule_policy())
