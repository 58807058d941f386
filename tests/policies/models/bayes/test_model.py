"""Scores are what the formula says of the probabilities; sampled scores are those of drawn weights, in any list."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pytest

from policies.arrays import FloatArray
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.heads.posterior import PlaceValues, draw_normals
from policies.models.bayes.input_features import features_of
from policies.models.bayes.model import BayesModel
from policies.models.bayes.prices import PriceOfSend
from policies.models.bayes.snapshot import BayesSnapshot
from policies.models.registry import POLICIES
from policies.records.model_input import ModelInput
from tests.factories import small_document
from tests.policies.models.bayes.learned_heads import learn_some, some_input

BOOK = Rulebook.of(Catalogue.from_document(small_document(reward={"click": 0.2, "view_through": 0.4})), 1)
SNAPSHOT = BayesSnapshot.from_bytes(learn_some(BOOK).publish(BOOK.catalogue.reward))
PRICES = PriceOfSend(load=0.05, opt_out=3.0, consents={"push": 1.5})
SEEDS = np.array([7, 7, 8, 2**63], dtype=np.uint64)


def inputs_of(count: int, seed: int = 5) -> list[ModelInput]:
    chance = random.Random(seed)
    return [some_input(chance, BOOK) for _ in range(count)]


def score_by_formula(
    probabilities: Mapping[str, PlaceValues], inputs: Sequence[ModelInput], prices: PriceOfSend
) -> FloatArray:
    """Return the scores (r, m, n), one send after the other."""
    reward, space = BOOK.catalogue.reward, BOOK.space
    spread = {name: values.spread() for name, values in probabilities.items()}
    scores = np.zeros_like(spread["click"])
    for row, model_input in enumerate(inputs):
        for number in range(len(space)):
            loads = dict(zip(space.delays_s, model_input.numbers.load, strict=False))
            load = loads.get(space[number].delay_s, 0.0)
            order = reward.margin * SNAPSHOT.order_value.value(space[number].message, model_input.price)
            click, out, after, without = (
                spread[name][row, :, number] for name in ("click", "out", "order_after_click", "order_without_click")
            )
            unclicked = (1 - click) * without * order * reward.view_through
            scores[row, :, number] = click * (reward.click + after * order) + unclicked
            consent = prices.consents.get(space[number].channel, reward.consent_value)
            lost = consent + SNAPSHOT.complaint_loss + prices.opt_out
            scores[row, :, number] -= out * lost + BOOK.cost(space[number]) + prices.load * (1 + load) ** 2 / 4
    return scores


@pytest.mark.parametrize("prices", [PriceOfSend(), PRICES])
def test_scores_are_what_the_formula_says_of_the_posterior_means(prices: PriceOfSend) -> None:
    model, inputs = BayesModel.of(msgspec.structs.replace(SNAPSHOT, prices=prices), BOOK), inputs_of(6)
    assessment = model.assess(inputs, BOOK)
    means = model.heads.posterior([features_of(one, BOOK.space.delays_s) for one in inputs]).probabilities()
    np.testing.assert_allclose(assessment.scores, score_by_formula(means, inputs, prices)[:, 0], rtol=1e-9, atol=1e-12)
    assert assessment.p_out is not None
    assert assessment.p_click is not None
    assert assessment.p_out.tobytes() == means["out"].spread()[:, 0].tobytes()
    assert assessment.p_click.tobytes() == means["click"].spread()[:, 0].tobytes()


def test_sampled_scores_are_those_of_weights_that_are_drawn_once_for_all_sends() -> None:
    model, inputs = BayesModel.of(msgspec.structs.replace(SNAPSHOT, prices=PRICES), BOOK), inputs_of(4)
    sample = model.assess(inputs, BOOK).sample
    assert sample is not None
    posterior = model.heads.posterior([features_of(one, BOOK.space.delays_s) for one in inputs])
    streams = [np.random.Generator(np.random.PCG64(seed)) for seed in SEEDS.tolist()]
    drawn = posterior.draw_probabilities(draw_normals(streams, 3, model.heads.cells))
    expected = score_by_formula(drawn, inputs, PRICES)
    np.testing.assert_allclose(sample(SEEDS, 3), expected, rtol=1e-9, atol=1e-12)


def test_samples_of_an_input_are_the_same_to_the_byte_alone_and_in_a_list_of_any_length() -> None:
    model, inputs = BayesModel.of(SNAPSHOT, BOOK), inputs_of(40)
    seeds = np.arange(40, dtype=np.uint64) // 2
    together = model.assess(inputs, BOOK)
    assert together.sample is not None
    tables = together.sample(seeds, 5)
    for row, model_input in enumerate(inputs):
        alone = BayesModel.of(SNAPSHOT, BOOK).assess([model_input], BOOK)
        assert alone.sample is not None
        assert alone.scores.tobytes() == together.scores[row].tobytes()
        assert alone.sample(seeds[row : row + 1], 5).tobytes() == tables[row].tobytes()


def test_draws_for_a_large_batch_need_little_memory() -> None:
    """64 requests, 240 joint actions, 16 draws: the result has 2 MB, and the work may need eight times as much."""
    document = small_document(delays_s=[0, 3_600, 7_200, 14_400, 28_800])
    message = document["messages"]["hint"]
    document["messages"] = {f"hint_{number}": message for number in range(24)}
    book = Rulebook.of(Catalogue.from_document(document), 1)
    assert len(book.space) == 240
    model, chance = BayesModel.of(SNAPSHOT, book), random.Random(1)
    inputs = [some_input(chance, book) for _ in range(64)]
    sample = model.assess(inputs, book).sample
    assert sample is not None
    tracemalloc.start()
    sample(np.arange(64, dtype=np.uint64), 16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16e6


@pytest.mark.parametrize("policy", ["bayes", "bayes-greedy"])
def test_before_anything_is_learned_the_best_send_of_every_trigger_is_above_hold(
    policy: str, example_rulebook: Rulebook
) -> None:
    model = POLICIES[policy].make(example_rulebook).model
    assert model is not None
    triggers = list(example_rulebook.catalogue.triggers)
    scores = model.assess([ModelInput({"trigger": name}) for name in triggers], example_rulebook).scores
    best = np.where(example_rulebook.candidates, scores, -np.inf).max(axis=1)
    assert (best > 0).all(), dict(zip(triggers, best.tolist(), strict=True))
