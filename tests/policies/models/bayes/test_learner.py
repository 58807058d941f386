"""What interactions teach: each head by what it observes, orders by their value, corrections by the difference."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from policies.catalogue.document import Catalogue, Reward
from policies.catalogue.rulebook import Rulebook
from policies.learning.interactions import Interaction
from policies.learning.model_learner import ModelMismatch
from policies.learning.reward import reward_of
from policies.models.bayes.learner import BayesLearner
from policies.models.bayes.model import BayesModel
from policies.models.bayes.observations import observe
from policies.models.bayes.snapshot import BayesSnapshot
from policies.records.model_input import ModelInput
from tests.factories import outcome_row, small_document
from tests.policies.models.bayes.learned_heads import learn_some, some_input, some_interaction

BOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)
SEND = replace(some_interaction(random.Random(3), BOOK), model_input=ModelInput({"trigger": "wishlist"}))


def with_outcomes(*kinds: str, before: Interaction | None = None, value: float = 40.0) -> Interaction:
    outcomes = [outcome_row(kind, value=value if kind in ("conversion", "refund") else 0.0) for kind in kinds]
    result = reward_of(outcomes, BOOK.catalogue.reward, 0.0)
    return replace(SEND, result=result, before=None if before is None else before.result)


def probabilities(learner: BayesLearner) -> dict[str, float]:
    """Return the probabilities of the send under a learned model."""
    model = BayesModel.of(BayesSnapshot.from_bytes(learner.publish(Reward())), BOOK)
    number = [BOOK.space[number] for number in range(len(BOOK.space))].index(SEND.action)
    assessment = model.assess([SEND.model_input], BOOK)
    assert assessment.p_click is not None
    assert assessment.p_out is not None
    return {"click": assessment.p_click[0, number], "out": assessment.p_out[0, number]}


def learn_all(*interactions: Interaction) -> BayesLearner:
    learner = BayesLearner()
    for interaction in interactions:
        learner.learn(interaction)
    return learner


@pytest.mark.parametrize(
    ("kinds", "positives", "order_head"),
    [
        ((), set[str](), "order_without_click"),
        (("click",), {"click"}, "order_after_click"),
        (("click", "conversion"), {"click", "order_after_click"}, "order_after_click"),
        (("conversion",), {"order_without_click"}, "order_without_click"),
        (("conversion", "refund"), set[str](), "order_without_click"),
        (("opt_out",), {"out"}, "order_without_click"),
        (("complaint", "click"), {"out", "click"}, "order_after_click"),
        (("open", "delivered"), set[str](), "order_without_click"),
    ],
)
def test_each_head_observes_what_it_predicts(kinds: tuple[str, ...], positives: set[str], order_head: str) -> None:
    observations = observe(with_outcomes(*kinds).result)
    assert observations.keys() == {"click", "out", order_head}
    assert {name for name, observation in observations.items() if observation.positives} == positives
    assert all(observation.trials == 1.0 for observation in observations.values())


def test_clicks_and_opt_outs_raise_what_is_expected() -> None:
    before, ignored = probabilities(learn_all()), probabilities(learn_all(with_outcomes()))
    clicked, left = (probabilities(learn_all(with_outcomes(kind))) for kind in ("click", "opt_out"))
    assert ignored["click"] < before["click"] < clicked["click"]
    assert ignored["out"] < before["out"] < left["out"]


def test_a_correction_leads_nearly_where_the_last_outcome_alone_would_have_led() -> None:
    ignored, clicked = with_outcomes(), with_outcomes("click", "conversion", "complaint")
    direct = learn_all(clicked)
    corrected = learn_all(ignored, with_outcomes("click", "conversion", "complaint", before=ignored))
    assert corrected.learned == direct.learned == 1
    assert probabilities(corrected) == pytest.approx(probabilities(direct), rel=0.05)
    ours, theirs = (BayesSnapshot.from_bytes(learner.publish(Reward())) for learner in (corrected, direct))
    assert ours.order_value.value(SEND.action.message, None) == theirs.order_value.value(SEND.action.message, None)
    assert ours.complaint_loss == theirs.complaint_loss > 0.0
    back = learn_all(clicked, with_outcomes(before=clicked))
    assert BayesSnapshot.from_bytes(back.publish(Reward())).complaint_loss == 0.0


@pytest.mark.parametrize("name", ["click_rate", f"click_rate_{SEND.action.channel}"])
def test_shoppers_for_whom_a_machine_clicks_teach_nothing(name: str) -> None:
    """Four clicks of five sends, shrunk, are a rate of .287."""
    machine, shopper, text = (
        replace(with_outcomes("click"), model_input=ModelInput({"trigger": "wishlist", name: rate}))
        for rate in (0.29, 0.28, "often")
    )
    unlearned = learn_all()
    learned = learn_all(machine)
    assert learned.learned == 1
    assert probabilities(learned) == probabilities(unlearned)
    for teaching in (shopper, text):
        assert probabilities(learn_all(teaching))["click"] > probabilities(unlearned)["click"]


def test_a_model_is_proven_to_expect_what_its_learner_expects() -> None:
    learner, chance = learn_some(BOOK), random.Random(9)
    inputs, saved = [some_input(chance, BOOK) for _ in range(2)], learner.to_bytes()
    learner.prove(learner.publish(Reward()), BOOK.space, inputs)
    assert learner.to_bytes() == saved
    with pytest.raises(ModelMismatch, match="compiled"):
        learner.prove(BayesLearner().publish(Reward()), BOOK.space, inputs)
