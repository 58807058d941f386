"""The policies `bayes` and `bayes-greedy`: the same model and learner, and two explorations."""

from __future__ import annotations

from functools import partial

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.explorations.base import Exploration
from policies.explorations.greedy import Greedy
from policies.explorations.thompson import ThompsonSampling
from policies.learning.model_learner import ModelMismatch
from policies.models.bayes.learner import BayesLearner
from policies.models.bayes.model import BayesModel
from policies.models.bayes.snapshot import BayesSnapshot
from policies.models.policy import LearningParts, Policy, PolicyFactory
from policies.records.model_input import ModelInput

DRAWS = 16
"""How many models Thompson sampling draws for each request."""


def _make_version(name: str, exploration: Exploration, payload: bytes, rulebook: Rulebook, number: int) -> Policy:
    model = BayesModel.of(BayesSnapshot.from_bytes(payload), rulebook)
    if not np.isfinite(model.assess([ModelInput({})], rulebook).scores).all():
        raise ModelMismatch("its scores are not finite")
    return Policy(name, model, exploration, version=number, learns=True, mode="online")


def _make_unlearned(name: str, exploration: Exploration, rulebook: Rulebook) -> Policy:
    return _make_version(name, exploration, BayesLearner().publish(rulebook.catalogue.reward), rulebook, 0)


def _make_factory(name: str, description: str, exploration: Exploration) -> PolicyFactory:
    parts = LearningParts(BayesLearner, partial(_make_version, name, exploration))
    return PolicyFactory(name, description, partial(_make_unlearned, name, exploration), parts)


BAYES = _make_factory("bayes", "Bayesian heads with Thompson sampling", ThompsonSampling(DRAWS))
BAYES_GREEDY = _make_factory("bayes-greedy", "Bayesian heads without sampling", Greedy())
