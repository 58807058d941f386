"""The posterior of a request is that of its weights, drawn one by one; and no request changes another one's."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.catalogue.action_space import ActionSpace
from policies.heads import cell_rows
from policies.heads.features import Features
from policies.heads.learner import HeadsLearner, Observation
from policies.heads.posterior import CompiledHeads, draw_normals
from policies.heads.snapshot import HeadsMismatch, HeadsSnapshot
from policies.heads.tables import CLICK, HEADS, HeadTable, Prior
from tests.policies.heads import strategies
from tests.policies.heads.one_by_one import moments_of


def learn_some(
    tables: Sequence[HeadTable], space: ActionSpace, requests: Sequence[Features], steps: int, seed: int
) -> HeadsSnapshot:
    """Return what heads have learned from random sends and random outcomes."""
    learner, rng = HeadsLearner(tables), random.Random(seed)
    for _ in range(steps):
        number = rng.randrange(len(space))
        send = learner.find_weights(rng.choice(requests), space[number], space.categories[space.message_of[number]])
        heads = rng.sample([table.name for table in tables], rng.randint(0, len(tables)))
        learner.learn(send, {name: Observation(float(rng.random() < 0.5)) for name in heads})
    return learner.snapshot()


cases = st.tuples(
    strategies.tables(), strategies.spaces(), st.lists(strategies.features, min_size=1, max_size=4), st.integers(0, 9)
)
Case = tuple[tuple[HeadTable, ...], ActionSpace, list[Features], int]


@settings(max_examples=35)
@given(cases)
def test_means_and_covariances_are_those_of_the_weights(case: Case) -> None:
    """Exact, without sampling: unit vectors in place of the normals show what each of them adds to each logit."""
    tables, space, requests, steps = case
    snapshot = learn_some(tables, space, requests, steps, seed=steps)
    compiled = CompiledHeads(snapshot, space, tables)
    posterior = compiled.posterior(requests)
    units = np.concatenate([np.zeros((1, compiled.cells)), np.eye(compiled.cells)])
    drawn = posterior.draw(np.broadcast_to(units, (len(requests), *units.shape)).copy())
    for table in tables:
        logits, variances = (
            posterior.logits()[table.name].spread()[:, 0],
            posterior.variances()[table.name].spread()[:, 0],
        )
        for row, features in enumerate(requests):
            means, covariances = moments_of(table, snapshot, features, space)
            draws = drawn[table.name].spread()[row]
            added = draws[1:] - draws[:1]
            np.testing.assert_allclose(logits[row], means, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(draws[0], means, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(added.T @ added, covariances, rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(variances[row], np.diag(covariances), rtol=1e-9, atol=1e-9)


@settings(max_examples=25)
@given(cases, st.randoms(use_true_random=False))
def test_a_request_alone_has_the_bytes_that_it_has_in_any_list(case: Case, order: random.Random) -> None:
    tables, space, requests, steps = case
    compiled = CompiledHeads(learn_some(tables, space, requests, steps, seed=1), space, tables)

    def draw(rows: Sequence[int]) -> list[bytes]:
        posterior = compiled.posterior([requests[row] for row in rows])
        normals = draw_normals([np.random.default_rng(row) for row in rows], 3, compiled.cells)
        results = [posterior.draw(normals), posterior.draw_probabilities(normals), posterior.probabilities()]
        return [
            b"".join(result[table.name].spread()[place].tobytes() for result in results for table in tables)
            for place in range(len(rows))
        ]

    alone = [draw([row])[0] for row in range(len(requests))]
    rows = [order.randrange(len(requests)) for _ in range(6)]
    assert draw(rows) == [alone[row] for row in rows]


def test_draws_of_the_four_heads_have_the_moments_that_are_said() -> None:
    space = small_space()
    requests = [a_request(seed) for seed in range(3)]
    compiled = CompiledHeads(learn_some(HEADS, space, requests, 40, seed=2), space)
    posterior = compiled.posterior(requests[:1])
    count = 4_000
    drawn = posterior.draw(draw_normals([np.random.default_rng(5)], count, compiled.cells))
    probabilities = posterior.draw_probabilities(draw_normals([np.random.default_rng(6)], count, compiled.cells))
    for name, values in drawn.items():
        logits, means = values.spread()[0], posterior.logits()[name].spread()[0, 0]
        variances, expected = posterior.variances()[name].spread()[0, 0], posterior.probabilities()[name].spread()[0, 0]
        assert np.abs((logits.mean(axis=0) - means) / np.sqrt(variances / count)).max() < 4.5
        assert logits.var(axis=0) == pytest.approx(variances, rel=0.15)
        assert probabilities[name].spread()[0].mean(axis=0) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("most", [1, 40])
def test_a_full_table_of_rows_starts_anew_and_changes_nothing(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    space, requests = small_space(), [a_request(seed) for seed in range(30)]
    snapshot = learn_some(HEADS, space, requests, 30, seed=3)
    plain = CompiledHeads(snapshot, space)
    monkeypatch.setattr(cell_rows, "MOST_ROWS", most)
    compiled = CompiledHeads(snapshot, space)
    compiled._rows.capacity = 1
    compiled._rows = compiled._rows.larger([])
    for size in (1, 3, 30):
        ours, theirs = compiled.posterior(requests[:size]), plain.posterior(requests[:size])
        assert ours.cells.tobytes() == theirs.cells.tobytes()


def test_no_requests_have_no_posterior() -> None:
    compiled = CompiledHeads(HeadsLearner().snapshot(), small_space())
    drawn = compiled.posterior([]).draw(draw_normals([], 4, compiled.cells))
    assert {name: logits.spread().shape for name, logits in drawn.items()} == {
        table.name: (0, 4, 12) for table in HEADS
    }


def test_a_message_that_is_new_starts_from_its_category() -> None:
    space, request = small_space(), Features()
    learner = HeadsLearner()
    for _ in range(200):
        learner.learn(learner.find_weights(request, space[0], "browse"), {"click": Observation(1.0)})
    renamed = dataclasses.replace(space, messages=("new", "other"), categories=("browse", "service"))
    logits = CompiledHeads(learner.snapshot(), renamed).posterior([request]).logits()["click"].spread()[0, 0]
    assert (logits[renamed.message_of == 0] > logits[renamed.message_of == 1]).all()


@pytest.mark.parametrize("difference", ["bias", "sd", "line", "head", "version"])
def test_heads_of_other_tables_are_refused_and_the_difference_is_named(difference: str) -> None:
    snapshot = HeadsLearner().snapshot()
    changed = {
        "bias": HeadTable("click", -1.0, CLICK.lines),
        "sd": HeadTable("click", CLICK.bias, {**CLICK.lines, "channel": Prior(9.0)}),
        "line": HeadTable("click", CLICK.bias, {**CLICK.lines, "streak × message": Prior(1.0)}),
        "head": HeadTable("open", CLICK.bias, CLICK.lines),
        "version": CLICK,
    }[difference]
    words = {"bias": "-1.0", "sd": "'channel'", "line": "'streak × message'", "head": "'click'", "version": "version"}
    snapshot.check(HEADS)
    if difference == "version":
        snapshot = msgspec.structs.replace(snapshot, tables_version=0)
    with pytest.raises(HeadsMismatch, match=words[difference]):
        CompiledHeads(snapshot, small_space(), (changed, *HEADS[1:]))


def small_space() -> ActionSpace:
    """Return a space of two messages, two channels and three delays, all combined."""
    columns = np.array([(m, c, d) for m in range(2) for c in range(2) for d in range(3)]).T
    return ActionSpace(("hint", "offer"), ("browse", "cart"), ("push", "email"), (0, 3_600, 43_200), *columns)


def a_request(seed: int) -> Features:
    """Return features of every kind."""
    rng = random.Random(seed)
    by_delay: dict[str, dict[str | int, float]] = {
        name: {delay: rng.gauss(0, 1) for delay in (0, 3_600, 43_200)}
        for name in ("presence", "load", "load_squared", "topic_load")
    }
    return Features(
        {
            "trigger": (rng.choice("ab"),),
            "segment": (rng.choice("ab"),),
            "product_category": ("shoes",),
            "streak": ("2",),
            "caller": ("device_mobile", f"cart_{rng.randrange(4)}"),
        },
        {"hour": {0: "4", 3_600: "4", 43_200: "0"}, "load_level": {0: "2", 3_600: "2", 43_200: "1"}},
        {"own": rng.gauss(0, 1), "affinity": 0.3},
        {**by_delay, "own_channel": {"push": 0.5}, "own_category": {"browse": -0.5}},
    )
