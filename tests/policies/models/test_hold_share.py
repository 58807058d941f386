"""The hold share: a known part of the decisions holds at random, and nothing that is critical does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import decide
from policies.decision import Decision
from policies.models.hold_share import MOST_HOLD_SHARE, with_hold_share
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.records.rows import TriggerRecord
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.factories import request, small_document, trigger
from tests.policies.served_policies import SERVED

BOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)
SHARES = st.floats(0.0, MOST_HOLD_SHARE)


def ask(policy: Policy, *triggers: TriggerRecord, state: ShopperState = NEW_SHOPPER) -> Decision:
    return decide(request(*triggers), state, BOOK, policy, b"seed")


@pytest.mark.parametrize("name", SERVED)
@given(share=SHARES)
def test_hold_gets_the_share_and_everything_else_shrinks_alike(name: str, share: float) -> None:
    policy = replace(SERVED[name](BOOK), hold_share=0.0)
    plain, mixed = (ask(one).probabilities for one in (policy, replace(policy, hold_share=share)))
    np.testing.assert_allclose(mixed[:-1], (1.0 - share) * plain[:-1], rtol=1e-12)
    assert mixed[-1] == pytest.approx((1.0 - share) * plain[-1] + share, rel=1e-12)


def test_the_share_0_leaves_the_very_distribution() -> None:
    p, eligible = np.array([[0.3, 0.7]]), np.ones((1, 2), dtype=np.bool_)
    assert with_hold_share(p, eligible, 0.0) is p


def test_distributions_that_are_given_stay_as_they_are() -> None:
    p, eligible = np.array([[0.3, 0.7], [1.0, 0.0]]), np.array([[True, True], [True, False]])
    p.setflags(write=False)
    assert with_hold_share(p, eligible, 0.1).tolist() == [[0.27, 0.73], [1.0, 0.0]]


@given(SHARES)
def test_without_an_eligible_send_hold_is_certain(share: float) -> None:
    state = ShopperState(consent={"email": False, "push": False})
    decision = ask(rule_policy(), state=state), ask(replace(rule_policy(), hold_share=share), state=state)
    assert [one.probabilities.tolist() for one in decision] == [[1.0], [1.0]]


@pytest.mark.parametrize("name", SERVED)
def test_what_is_critical_is_never_held_at_random(name: str) -> None:
    """Neither alone nor in a list with triggers that are not critical: HOLD is not eligible there."""
    policy = replace(SERVED[name](BOOK), hold_share=MOST_HOLD_SHARE)
    for triggers in ([trigger(critical=True)], [trigger("wishlist"), trigger(critical=True)]):
        decision = ask(policy, *triggers)
        assert not decision.hold_eligible
        assert decision.probabilities.tolist() == ask(replace(policy, hold_share=0.0), *triggers).probabilities.tolist()


def test_beside_a_critical_trigger_that_nothing_answers_the_others_are_held_at_random() -> None:
    """The sends that are left answer triggers that are not critical, so the share holds for them."""
    gone = trigger("cart_abandoned", critical=True, expires_at=request().now - 1.0)
    decision = ask(replace(rule_policy(epsilon=0.0), hold_share=0.1), gone, trigger("wishlist"))
    assert decision.hold_eligible
    assert decision.probabilities[-1] == pytest.approx(0.1)


@pytest.mark.parametrize("share", [-0.01, 0.11, float("nan"), float("inf")])
def test_a_share_outside_its_range_is_refused_by_name(share: float) -> None:
    with pytest.raises(ValueError, match=r"hold_share must lie between 0 and 0\.1, not"):
        Policy("any", hold_share=share)
