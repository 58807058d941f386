"""The expected reward of reactions."""

from __future__ import annotations

import numpy as np
import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.scenarios.parameters import Parameters
from simulators.world.expected_reward import ExpectedReward
from tests.factories import small_document


def rewards(**weights: float) -> FloatArray:
    rulebook = Rulebook.of(Catalogue.from_document(small_document(reward=weights)), 1)
    return ExpectedReward.of(rulebook, Parameters()).seen


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_an_order_without_a_click_counts_the_part_that_the_catalogue_says(share: float) -> None:
    weighted = rewards(margin=0.3, view_through=share)
    assert np.array_equal(weighted[:, 1], rewards(margin=0.3)[:, 1])
    assert np.allclose(weighted[:, 0], rewards(margin=0.3 * share)[:, 0], rtol=1e-12)
