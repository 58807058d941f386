"""The compiled model scores like Vowpal Wabbit itself."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vowpal_wabbit_next import TextFormatParser, Workspace

from policies.catalogue.rulebook import Rulebook
from policies.learning.model_learner import ModelMismatch
from policies.models.compiled import (
    CompiledModel,
    ModelSnapshot,
    check_equal,
    collisions,
)
from policies.models.features import HOUR_BUCKETS, clean, example_text, hour_bucket, shared_tokens
from policies.models.hashed_weights import token_hash
from policies.models.learned import empty_snapshot
from policies.models.vw import BITS, OPTIONS, OUT_START, POSITIVE_START, TwoHeads
from policies.records.rows import Scalar

STRANGE = ["a:b|c d", "ñandú", "日本", "%", "x" * 300, "1", "-", "\t"]


def some_context(chance: random.Random) -> dict[str, Scalar]:
    context: dict[str, Scalar] = {
        "segment": chance.choice(["loyal", "prospect", *STRANGE]),
        "trigger": chance.choice(["cart_abandoned", "post_purchase"]),
        "recent_sends": chance.randrange(9),
        "cart_value": chance.choice([0.0, -3.0, 0.2, 1e12, 59.9]),
        "is_member": chance.random() < 0.5,
    }
    if chance.random() < 0.8:
        context["local_hour"] = chance.random() * 24
    if chance.random() < 0.5:
        context["category"] = chance.choice(["shoes", *STRANGE])
    return context


def learned_heads(rulebook: Rulebook, chance: random.Random, examples: int = 1_500) -> TwoHeads:
    heads, space = TwoHeads(), rulebook.space
    for _ in range(examples):
        number = chance.randrange(len(space))
        text = example_text(some_context(chance), space[number], space.categories[space.message_of[number]])
        heads.learn(text, positive=chance.random() < 0.2, opted_out=chance.random() < 0.05)
    return heads


def snapshot_of(heads: TwoHeads) -> ModelSnapshot:
    positive, out = ((weights.indices.tobytes(), weights.values.tobytes()) for weights in heads.weights())
    return ModelSnapshot(OPTIONS, 1, positive, out, {"": 1.0}, 0.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_it_predicts_what_vowpal_wabbit_predicts(example_rulebook: Rulebook, seed: int) -> None:
    chance = random.Random(seed)
    heads = learned_heads(example_rulebook, chance)
    stored = ModelSnapshot.from_bytes(snapshot_of(heads).to_bytes())
    compiled = CompiledModel(stored, example_rulebook.space, OPTIONS)
    check_equal(heads, compiled, example_rulebook.space, [some_context(chance) for _ in range(15)])


def test_a_difference_is_found(example_rulebook: Rulebook) -> None:
    chance = random.Random(1)
    heads = learned_heads(example_rulebook, chance, 200)
    compiled = CompiledModel(snapshot_of(heads), example_rulebook.space, OPTIONS)
    for _ in range(20):
        heads.learn("|m m_cart_reminder g_cart |k k_1", positive=True, opted_out=False)
    with pytest.raises(ModelMismatch, match="compiled"):
        check_equal(heads, compiled, example_rulebook.space, [{}])


@given(st.floats(-(2.0**53), 2.0**53), st.sampled_from([0, 3_600, 86_400]))
@example(-1e-17, 0)
def test_whatever_hour_a_caller_says_lies_in_a_bucket(hour: float, delay_s: int) -> None:
    assert hour_bucket(hour, delay_s) in range(HOUR_BUCKETS)


@pytest.mark.parametrize("hour", [-1e-17, -3, 24, 1e12])
def test_any_hour_can_be_scored(example_rulebook: Rulebook, hour: float) -> None:
    heads = learned_heads(example_rulebook, random.Random(1), 200)
    compiled = CompiledModel(snapshot_of(heads), example_rulebook.space, OPTIONS)
    check_equal(heads, compiled, example_rulebook.space, [{"segment": "loyal", "local_hour": hour}])


@pytest.mark.parametrize("token", ["s_new", "m_cart_reminder", *(f"x_{clean(text)}" for text in STRANGE)])
def test_tokens_hash_as_vowpal_wabbit_hashes_them(token: str) -> None:
    workspace = Workspace(["--quiet", "-b", str(BITS)])
    example = TextFormatParser(workspace).parse_line(f"|{token[0]} {token}")
    mask = (1 << BITS) - 1
    assert [index & mask for index in example[token[0]].indices] == [token_hash(token[0], token) & mask]


def test_without_learning_everything_has_the_start_bias(example_rulebook: Rulebook) -> None:
    compiled = CompiledModel(empty_snapshot(example_rulebook.catalogue.reward), example_rulebook.space, OPTIONS)
    (logits,) = compiled.logits([{"segment": "loyal", "local_hour": 3.0}])
    assert np.unique(logits[0]).tolist() == [POSITIVE_START]
    assert np.unique(logits[1]).tolist() == [OUT_START]


def test_another_models_options_are_refused_by_name(example_rulebook: Rulebook) -> None:
    other = ModelSnapshot(OPTIONS | {"bits": 18}, 0, (b"", b""), (b"", b""), {"": 1.0}, 0.0)
    with pytest.raises(ModelMismatch, match="bits = 18, here it is 20"):
        CompiledModel(other, example_rulebook.space, OPTIONS)


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelMismatch):
        ModelSnapshot.from_bytes(b"\x01\x02")


def test_crossed_features_of_the_example_do_not_collide(example_rulebook: Rulebook) -> None:
    chance = random.Random(3)
    contexts = [some_context(chance) for _ in range(300)]
    tokens = {token for context in contexts for names in shared_tokens(context).values() for token in names}
    tokens |= {f"t_{trigger}" for trigger in example_rulebook.catalogue.triggers}
    assert collisions(example_rulebook.space, sorted(tokens), BITS) == 0
    assert collisions(example_rulebook.space, sorted(tokens), 14) > 0


def test_learning_goes_on_to_the_same_bytes_after_a_restart(example_rulebook: Rulebook) -> None:
    chance, space = random.Random(4), example_rulebook.space
    whole, parted = TwoHeads(), TwoHeads()
    for step in range(600):
        number = chance.randrange(len(space))
        text = example_text(some_context(chance), space[number], "cart")
        positive, out = chance.random() < 0.3, chance.random() < 0.1
        whole.learn(text, positive=positive, opted_out=out)
        parted.learn(text, positive=positive, opted_out=out)
        if step % 100 == 50:
            parted = TwoHeads.from_bytes(parted.to_bytes())
    assert parted.to_bytes() == whole.to_bytes()


def test_what_is_learned_shows(example_rulebook: Rulebook) -> None:
    heads, space = TwoHeads(), example_rulebook.space
    good, bad = space[0], space[40]

    def category(number: int) -> str:
        return str(space.categories[space.message_of[number]])

    for _ in range(200):
        heads.learn(example_text({"segment": "loyal"}, good, category(0)), positive=True, opted_out=False)
        heads.learn(example_text({"segment": "loyal"}, bad, category(40)), positive=False, opted_out=True)
    prediction = CompiledModel(snapshot_of(heads), space, OPTIONS).predict([{"segment": "loyal"}])
    (p_positive,), (p_out,) = prediction.p_positive, prediction.p_out
    assert p_positive[0] > 0.5 > p_positive[40]
    assert p_out[40] > 0.5 > p_out[0]
