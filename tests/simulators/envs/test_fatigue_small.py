"""The tabular world: exact by two roads, and a trap for estimators that take rows for independent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.envs.fatigue_small import STATES, FatigueSmall

WORLD = FatigueSmall()


@given(st.integers(0, 2**31), st.floats(0.05, 1.0))
def test_values_forward_and_backward_are_the_same(seed: int, fade: float) -> None:
    world = FatigueSmall(fade=fade)
    policy = np.random.default_rng(seed).dirichlet(np.ones(world.actions), size=(world.slots, STATES))
    backward = (policy[0, 0] * world.action_values(policy)[0, 0]).sum() / world.slots
    assert world.value(policy) == pytest.approx(backward, abs=1e-12)
    assert world.visits(policy).sum(axis=1) == pytest.approx(1.0)
    assert world.value(policy) <= world.value(world.best()) + 1e-12


def test_a_log_has_the_frequencies_and_rewards_that_the_tables_say() -> None:
    """50 logs of 24,000 decisions: |z| < 4.5 for the mean reward, false-alarm rate 7e-6."""
    policy = WORLD.logging()
    means = [WORLD.sample(policy, seed).rewards.mean() for seed in range(50)]
    error = np.std(means, ddof=1) / len(means) ** 0.5
    assert abs(np.mean(means) - WORLD.value(policy)) < 4.5 * error
    log = WORLD.sample(policy, 1)
    assert (log.propensities == policy[log.states, log.actions]).all()
    assert (log.rewards[log.actions == 0] == 0).all()


def test_rows_taken_for_independent_give_the_wrong_sign() -> None:
    """The target is worth less than the logging policy; plain importance weighting says twice as much.

    One log of 24,000 decisions; the estimate lies some 40 standard errors above the truth.
    """
    log, target = WORLD.sample(WORLD.logging(), 1), WORLD.target()
    estimate = (target[log.states, log.actions] / log.propensities * log.rewards).mean()
    assert WORLD.value(target) < WORLD.value(WORLD.logging()) < estimate


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"users": 0}, "users"), ({"slots": 0}, "slots"), ({"base": (1.2,)}, "base"), ({"fade": -0.1}, "fade")],
)
def test_impossible_tables_are_refused_by_name(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} must"):
        FatigueSmall(**changes)  # type: ignore[arg-type]


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="policy must have shape"):
        WORLD.value(np.ones((2, 2)))
    with pytest.raises(ValueError, match="policy must hold a distribution"):
        WORLD.value(np.ones((STATES, WORLD.actions)))
