"""Prices are differences of best scores times the later decisions that feel a send."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.models.bayes.learner import BayesLearner
from policies.models.bayes.price_estimates import ConsentSums, PricedDecision, PriceSums, tire
from policies.models.bayes.prices import PriceOfSend
from policies.models.bayes.snapshot import BayesSnapshot
from policies.records.arms import HOLDOUT
from policies.records.model_input import ModelInput
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, pack
from policies.records.shopper_numbers import ShopperNumbers
from tests.factories import decision_row, small_document, trigger
from tests.policies.models.bayes.learned_heads import learn_some, some_input

BOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)
SENDS = len(BOOK.space)


def some_decision(chance: random.Random) -> PricedDecision:
    eligible = tuple([number for number in range(SENDS) if chance.random() < 0.5])
    used = tuple([channel for channel in BOOK.space.channels if chance.random() < 0.8])
    refused = tuple([channel for channel in used if chance.random() < 0.3])
    return PricedDecision(some_input(chance, BOOK), eligible, used, refused, bool(eligible))


def some_group(seed: int, count: int = 20) -> tuple[list[PricedDecision], np.ndarray, np.ndarray]:
    chance = random.Random(seed)
    decisions = [some_decision(chance) for _ in range(count)]
    scores = np.array([[chance.gauss(0.0, 1.0) for _ in range(SENDS)] for _ in decisions])
    return decisions, scores, scores - 0.1 * chance.random()


def row_of(event_id: str = "e-1", **changes: Any) -> DecisionRow:
    verdicts = np.full(SENDS, Reason.eligible, dtype=np.uint8)
    verdicts[BOOK.space.channel_of == 1] = Reason.no_consent
    known = ShopperNumbers(load=(0.5, 0.4))
    return decision_row(**({"event_id": event_id, "verdicts": pack(verdicts), "numbers": known} | changes))


def test_sums_are_those_of_one_decision_after_the_other() -> None:
    decisions, scores, tired = some_group(3)
    sums = PriceSums().plus(decisions, scores, tired, BOOK)
    load_loss, lost, held = 0.0, dict.fromkeys(BOOK.space.channels, 0.0), dict.fromkeys(BOOK.space.channels, 0)
    for row, decision in enumerate(decisions):
        best = max([0.0, *scores[row, list(decision.eligible)]])
        load_loss += best - max([0.0, *tired[row, list(decision.eligible)]])
        for channel in set(decision.used) - set(decision.refused):
            others = [number for number in decision.eligible if BOOK.space[number].channel != channel]
            lost[channel] += best - max([0.0, *scores[row, others]])
            held[channel] += 1
    assert sums.load_loss == pytest.approx(load_loss)
    assert {channel: of_one.loss for channel, of_one in sums.consents.items()} == pytest.approx(lost)
    assert {channel: of_one.held for channel, of_one in sums.consents.items()} == held
    assert sums.sends == sum(decision.was_sent for decision in decisions)


def test_a_channel_without_which_nothing_is_lost_is_worth_little_and_one_that_alone_earns_is_worth_much() -> None:
    chance = random.Random(5)
    everywhere = tuple(range(SENDS))
    scores = np.where(BOOK.space.channel_of == 0, 1.0, -1.0) * np.ones((50, 1))
    inputs = [ModelInput({}, ShopperNumbers(load=(1.0, 1.0))) for _ in range(50)]
    decisions = [PricedDecision(one, everywhere, BOOK.space.channels, (), chance.random() < 0.5) for one in inputs]
    sums = PriceSums()
    for _ in range(20):
        sums = sums.plus(decisions, scores, scores, BOOK)
    earning, useless = (sums.consent_value(channel, 4.0) for channel in BOOK.space.channels)
    assert useless < 1.0 < 4.0 < earning
    assert sums.price_of_load() == 0.0


def test_a_channel_that_a_catalogue_lacks_for_a_while_keeps_its_sums() -> None:
    sums = PriceSums().plus(*some_group(3), BOOK)
    channels = small_document()["channels"]
    templates = {"push": {"en": {"title": "T", "body": "B"}}}
    message = {"category": "cart", "triggers": ["cart_abandoned", "wishlist"], "templates": templates}
    lacking = small_document(channels={"push": channels["push"]}, messages={"reminder": message})
    book = Rulebook.of(Catalogue.from_document(lacking), 2)
    scores = np.ones((1, len(book.space)))
    decision = PricedDecision(ModelInput({}, ShopperNumbers(load=(0.0, 0.0))), (0,), ("push",), (), True)
    later = sums.plus([decision], scores, scores, book)
    assert later.consents["email"] == sums.consents["email"]
    assert later.consents["push"] != sums.consents["push"]


def test_before_any_decision_prices_are_the_catalogues() -> None:
    assert PriceSums().prices(4.0) == PriceOfSend()
    assert PriceSums().consent_value("push", 4.0) == 4.0


def test_without_any_send_a_consent_keeps_the_catalogues_worth() -> None:
    held = PriceSums(decisions=640.0, growth=160.0, consents={"push": ConsentSums(640.0, 640.0, 20.0)})
    assert held.consent_value("push", 4.0) == 4.0


@pytest.mark.parametrize(
    "changes",
    [
        {"triggers": (trigger(), trigger("wishlist"))},
        {"triggers": (trigger(critical=True),)},
        {"numbers": None},
        {"arm": HOLDOUT},
        {"verdicts": ""},
        {"verdicts": pack(np.zeros(SENDS + 1, dtype=np.uint8))},
    ],
)
def test_a_row_that_does_not_say_enough_has_no_price(changes: dict[str, Any]) -> None:
    assert PricedDecision.of(row_of(), BOOK) is not None
    assert PricedDecision.of(row_of(**changes), BOOK) is None


def test_a_row_says_to_which_of_its_channels_the_shopper_consents() -> None:
    decision = PricedDecision.of(row_of(), BOOK)
    assert decision is not None
    assert (decision.used, decision.refused) == (BOOK.space.channels, (BOOK.space.channels[1],))
    assert {BOOK.space.channel_of[number] for number in decision.eligible} == {0}


def test_one_send_more_is_one_load_more() -> None:
    tired = tire(ModelInput({}, ShopperNumbers(load=(0.5, 0.25))))
    assert tired.numbers.load == (1.5, 1.25)


def test_a_learner_that_is_saved_within_a_group_goes_on_to_the_same_prices() -> None:
    whole, parted = learn_some(BOOK), learn_some(BOOK)
    for number in range(3_000):
        row = row_of(f"e-{number}", send_at=5.0 if number % 3 else None)
        whole.see(row, BOOK)
        parted.see(row, BOOK)
        if number == 1_700:
            parted = BayesLearner(parted.to_bytes())
    assert whole.to_bytes() == parted.to_bytes()
    prices = BayesSnapshot.from_bytes(whole.publish(BOOK.catalogue.reward)).prices
    assert prices.load > 0.0
    assert prices.consents.keys() == {*BOOK.space.channels}
