"""Learning whole sends: known worlds are recovered, and bytes depend on the interactions alone."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.arrays import FloatArray
from policies.catalogue.action_space import ActionSpace, JointAction
from policies.heads import token_register
from policies.heads.features import Features
from policies.heads.learner import NOTHING, HeadsLearner, Observation
from policies.heads.posterior import CompiledHeads
from policies.heads.snapshot import HeadsMismatch, HeadsSnapshot
from policies.heads.tables import CLICK, HEADS, OUT, HeadTable
from tests.policies.heads import strategies
from tests.policies.heads.one_by_one import moments_of, weights_of
from tests.policies.heads.test_posterior import a_request, small_space

_DAY_S = 86_400.0

observations = st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)).map(
    lambda pair: Observation(pair[0] * pair[1], pair[1])
)
interactions = st.tuples(
    strategies.features, st.integers(0, 17), st.fixed_dictionaries({"head_0": observations, "head_1": observations})
)
Interaction = tuple[Features, int, dict[str, Observation | None]]
SPACE = ActionSpace(
    strategies.MESSAGES,
    ("browse", "cart", "browse"),
    strategies.CHANNELS,
    strategies.DELAYS,
    *np.array([(m, c, d) for m in range(3) for c in range(2) for d in range(3)]).T,
)


def learn_all(learner: HeadsLearner, chosen: Sequence[Interaction], first_day: int) -> None:
    for day, (features, number, of_heads) in enumerate(chosen, start=first_day):
        learner.pass_time(day * _DAY_S)
        send = learner.find_weights(features, SPACE[number], SPACE.categories[SPACE.message_of[number]])
        learner.learn(send, {head: observation for head, observation in of_heads.items() if observation is not None})


@settings(max_examples=25)
@given(strategies.tables(), st.lists(interactions, max_size=8), st.integers(0, 8), st.none() | st.floats(1e5, 1e7))
def test_learning_may_stop_be_saved_and_go_on(
    tables: tuple[HeadTable, ...], chosen: list[Interaction], stop: int, half_life_s: float | None
) -> None:
    whole, first = HeadsLearner(tables, half_life_s), HeadsLearner(tables, half_life_s)
    learn_all(whole, chosen, 0)
    learn_all(first, chosen[:stop], 0)
    saved = first.snapshot().to_bytes()
    second = HeadsLearner.of(HeadsSnapshot.from_bytes(saved), tables, half_life_s)
    assert second.snapshot().to_bytes() == saved
    learn_all(second, chosen[stop:], stop)
    assert second.snapshot().to_bytes() == whole.snapshot().to_bytes()


@settings(max_examples=30)
@given(strategies.tables(), interactions)
def test_a_send_has_the_weights_that_the_specification_says(tables: tuple[HeadTable, ...], one: Interaction) -> None:
    features, number, _ = one
    learner = HeadsLearner(tables)
    send = learner.find_weights(features, SPACE[number], SPACE.categories[SPACE.message_of[number]])
    keys = learner.snapshot().keys
    ours = {keys[weight]: value for weight, value in zip(send.numbers.tolist(), send.values.tolist(), strict=True)}
    expected = [weights_of(table, features, SPACE, number) for table in tables]
    assert ours == {key: value for weights in expected for key, value in weights.items() if value != 0.0}
    assert len({*send.numbers.tolist()}) == len(send.numbers)


def test_the_probability_that_learning_expects_is_the_one_that_is_served() -> None:
    space, learner, rng = small_space(), HeadsLearner(), random.Random(1)
    for seed in range(60):
        features, number = a_request(seed), rng.randrange(len(space))
        send = learner.find_weights(features, space[number], space.categories[space.message_of[number]])
        served = CompiledHeads(learner.snapshot(), space).posterior([features]).probabilities()
        expected = learner.learn(send, {"click": Observation(float(seed % 3 == 0)), "out": Observation(0.0)})
        for name, probability in expected.items():
            assert served[name].spread()[0, 0, number] == pytest.approx(probability, rel=1e-9)


def test_a_click_that_comes_late_moves_a_send_from_one_head_to_the_other() -> None:
    """The send was learned without a click: its order head loses the observation, and the other one gains it."""
    learner, prior = HeadsLearner(), HeadsLearner()
    send = learner.find_weights(a_request(1), JointAction("hint", "push", 0), "browse")
    prior.find_weights(a_request(1), JointAction("hint", "push", 0), "browse")
    ignored = {"click": Observation(0.0), "order_without_click": Observation(0.0)}
    clicked = {"click": Observation(1.0), "order_after_click": Observation(0.0), "order_without_click": NOTHING}
    first = learner.learn(send, ignored)
    learner.learn(send, clicked, before=ignored)
    now = learner.learn(send, {})
    assert now["click"] > first["click"]
    assert now["order_after_click"] < first["order_after_click"]
    assert now["order_without_click"] == pytest.approx(first["order_without_click"], rel=1e-3)


def test_tokens_are_admitted_until_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_register, "MOST_TOKENS", 3)
    learner, action = HeadsLearner(), JointAction("hint", "push", 0)
    for number in range(50):
        learner.find_weights(Features({"caller": (f"visit_{number}",)}), action, "browse")
    snapshot = learner.snapshot()
    assert snapshot.tokens["caller"] == ["visit_0", "visit_1", "visit_2"]
    assert sum("visit" in str(key[-1]) for key in snapshot.keys) == 2 * 3  # with its message and its channel
    compiled = CompiledHeads(snapshot, small_space())
    known, dropped, none = (
        compiled.posterior([Features({"caller": tokens})]).variances()["click"].spread()
        for tokens in (("visit_0",), ("visit_9",), ())
    )
    assert (known > none).all()
    assert dropped.tobytes() == none.tobytes()


def logits_of_world(seed: int, requests: Sequence[Features], space: ActionSpace) -> FloatArray:
    """Return the true click logits (requests, n) of a world whose weights are drawn from the priors of the head."""
    rng, drawn = np.random.default_rng(seed), dict[tuple[object, ...], float]()
    logits = np.full((len(requests), len(space)), CLICK.bias)
    for row, features in enumerate(requests):
        for number in range(len(space)):
            for key, value in weights_of(CLICK, features, space, number).items():
                prior = CLICK.lines[str(key[0])]
                if key not in drawn:
                    drawn[key] = rng.normal(prior.mean, prior.sd)
                logits[row, number] += value * drawn[key]
    return logits


def calibration_slope(logits: FloatArray, probabilities: FloatArray) -> float:
    """Return the slope of the logistic regression of true probabilities on predicted logits."""
    intercept, slope = 0.0, 1.0
    for _ in range(20):
        fit = 1 / (1 + np.exp(-intercept - slope * logits))
        errors, curvature = probabilities - fit, fit * (1 - fit)
        hessian = np.array(
            [
                [curvature.sum(), (curvature * logits).sum()],
                [(curvature * logits).sum(), (curvature * logits**2).sum()],
            ]
        )
        step = np.linalg.solve(hessian, [errors.sum(), (errors * logits).sum()])
        intercept, slope = intercept + step[0], slope + step[1]
    return slope


def test_a_known_world_is_recovered() -> None:
    """In six worlds, 1,500 sends each: the slope over all sends is near 1 (95 % interval), and logits are found."""
    space, slopes, explained = small_space(), list[float](), list[float]()
    for seed in range(6):
        rng, requests = random.Random(seed), [a_request(number) for number in range(80)]
        truth = logits_of_world(seed, requests, space)
        learner = HeadsLearner((CLICK, OUT))
        for _ in range(1_500):
            row, number = rng.randrange(len(requests)), rng.randrange(len(space))
            clicked = rng.random() < 1 / (1 + math.exp(-truth[row, number]))
            send = learner.find_weights(requests[row], space[number], space.categories[space.message_of[number]])
            learner.learn(send, {"click": Observation(float(clicked))})
        predicted = (
            CompiledHeads(learner.snapshot(), space, (CLICK, OUT)).posterior(requests).logits()["click"].spread()[:, 0]
        )
        slopes.append(calibration_slope(predicted.ravel(), 1 / (1 + np.exp(-truth.ravel()))))
        explained.append(float(np.corrcoef(predicted.ravel(), truth.ravel())[0, 1]))
    half_width = 2.57 * np.std(slopes, ddof=1) / math.sqrt(len(slopes))  # Student's t, 5 degrees of freedom
    assert np.mean(slopes) - half_width > 0.85
    assert np.mean(slopes) + half_width < 1.15
    assert min(explained) > 0.8


def test_bytes_that_hold_no_heads_are_refused() -> None:
    with pytest.raises(HeadsMismatch, match="no heads"):
        HeadsSnapshot.from_bytes(b"\x00")
    with pytest.raises(HeadsMismatch, match="'click'"):
        HeadsLearner.of(HeadsLearner().snapshot(), HEADS[1:])
    with pytest.raises(ValueError, match="half-life"):
        HeadsLearner(half_life_s=0.0)


def test_what_is_learned_fades_with_the_half_life() -> None:
    learner, space = HeadsLearner(half_life_s=10 * _DAY_S), small_space()
    learner.pass_time(0.0)
    for _ in range(50):
        learner.learn(learner.find_weights(a_request(2), space[0], "browse"), {"click": Observation(1.0)})
    fresh = moments_of(CLICK, learner.snapshot(), a_request(2), space)
    learner.pass_time(10 * _DAY_S - 1.0)  # the ninth day
    learner.pass_time(5 * _DAY_S)  # a late row changes nothing
    learner.pass_time(10 * _DAY_S)
    half = learner.snapshot()
    information = np.frombuffer(half.heads["click"][2])
    learner.pass_time(1e4 * _DAY_S)
    gone = moments_of(CLICK, learner.snapshot(), a_request(2), space)
    prior = moments_of(CLICK, HeadsLearner().snapshot(), a_request(2), space)
    assert information.max() > 0
    assert fresh[0][0] > moments_of(CLICK, half, a_request(2), space)[0][0] > gone[0][0]
    assert gone[0] == pytest.approx(prior[0])
    assert gone[1] == pytest.approx(prior[1])
