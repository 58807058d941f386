"""Bayesian models that have learned from random sends, for tests."""

from __future__ import annotations

import random

from policies.catalogue.rulebook import Rulebook
from policies.learning.interactions import Interaction
from policies.learning.reward import reward_of
from policies.models.bayes.learner import BayesLearner
from policies.records.model_input import ModelInput
from policies.records.rows import OutcomeRow, Scalar
from policies.records.shopper_numbers import ShopperNumbers

KINDS = ("click", "conversion", "opt_out", "complaint")


def some_input(chance: random.Random, book: Rulebook, event_id: str = "e-1") -> ModelInput:
    """Return an input with a value of every kind that the model reads, or without some of them."""
    delays = len(book.space.delays_s)
    numbers = ShopperNumbers(
        presence=tuple([chance.gauss(0, 1) for _ in range(delays)]),
        load=tuple([4 * chance.random() for _ in range(delays)]),
        own_rate=chance.gauss(0, 1),
        own_channel={name: chance.gauss(0, 1) for name in book.space.channels},
        own_category={name: chance.gauss(0, 1) for name in book.space.categories},
        topic_load={"shoes": tuple([chance.random() for _ in range(delays)])},
        affinity={"shoes": chance.random()},
    )
    context: dict[str, Scalar] = {
        "trigger": chance.choice(list(book.catalogue.triggers)),
        "segment": chance.choice(["loyal", "prospect"]),
        "local_hour": 24 * chance.random(),
        "ignored_streak": chance.randrange(6),
        "category": chance.choice(["shoes", "bags"]),
        "device": chance.choice(["mobile", "desktop"]),
    }
    seen = {name: value for name, value in context.items() if chance.random() < 0.9}
    return ModelInput(seen, chance.choice([numbers, ShopperNumbers()]), chance.choice([None, 15.0, 80.0]), event_id)


def some_interaction(chance: random.Random, book: Rulebook, position: int = 1) -> Interaction:
    """Return a random send with random outcomes."""
    number = chance.randrange(len(book.space))
    action = book.space[number]
    outcomes = [
        OutcomeRow(0.0, "e-1", kind, 0.0, value=60 * chance.random()) for kind in KINDS if chance.random() < 0.2
    ]
    return Interaction(
        model_input=some_input(chance, book),
        position=position,
        action=action,
        category=book.space.categories[book.space.message_of[number]],
        delays_s=book.space.delays_s,
        propensity=0.5,
        p_out=None,
        result=reward_of(outcomes, book.catalogue.reward, book.cost(action)),
    )


def learn_some(book: Rulebook, count: int = 120, seed: int = 1) -> BayesLearner:
    """Return a learner of random interactions."""
    learner, chance = BayesLearner(), random.Random(seed)
    for position in range(count):
        learner.learn(some_interaction(chance, book, position))
    return learner
