"""Fitted Q: a fit that cannot be believed is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from offline_eval.sequential.fitted_q import FittedQ, check_fit
from tests.reference.worlds import Fatigue

WORLD = Fatigue()


def test_a_state_that_hides_the_past_is_found_by_the_residual() -> None:
    """With one state for all, Q is the log's average: the residual along the target's states shows it."""
    log = WORLD.log(4_000, np.random.default_rng(8))
    hidden = replace(log, state=np.zeros(len(log), dtype=np.int64))
    assert check_fit(log).is_sound
    assert FittedQ().value(hidden, np.ones(hidden.shoppers)) > 1.2 * WORLD.truth(WORLD.wanted)


def test_actions_hardly_ever_tried_are_found() -> None:
    rare = replace(WORLD, logged=0.002).log(300, np.random.default_rng(9))
    convergence = check_fit(rare)
    assert convergence.rare > 0.05
    assert not convergence.is_sound
