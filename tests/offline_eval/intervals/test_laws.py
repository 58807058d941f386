"""Intervals: what all of them obey, what each promises, and what it refuses.

Coverage at 4,000 repetitions is measured by `make coverage`; here a few hundred seeded repetitions show that no
interval is grossly wrong, each with its false-alarm rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from offline_eval import (
    DR,
    IPW,
    SNDR,
    SNIPW,
    Difference,
    Estimator,
    Evaluation,
    Limits,
    LoggedBatch,
    NotAvailable,
    Question,
    Totals,
    make_estimators,
)
from offline_eval.intervals import (
    Bernstein,
    Bootstrap,
    Bounds,
    ClopperPearson,
    Interval,
    Normal,
    ObpBootstrap,
    make_interval,
)
from offline_eval.intervals.sequence import ConfidenceSequence
from tests.offline_eval.intervals.bounds import LIMITS, bounds, is_held
from tests.reference.worlds import RewardWorld


def has_score_range(estimator: Estimator) -> bool:
    return type(estimator).score_range is not Estimator.score_range


PAIRABLE = Question([IPW()], "clopper-pearson", limits=LIMITS)
EVERY: tuple[tuple[Interval, tuple[Estimator, ...]], ...] = (
    (Normal(), tuple(make_estimators())),
    (Bootstrap(draws=200), tuple(make_estimators())),
    (ObpBootstrap(draws=200), tuple(make_estimators())),
    (Bernstein(LIMITS), tuple(estimator for estimator in make_estimators() if has_score_range(estimator))),
    (ClopperPearson(LIMITS), (IPW(),)),
)
every_interval = pytest.mark.parametrize(
    ("interval", "estimators"), EVERY, ids=[interval.name for interval, _ in EVERY]
)


@every_interval
def test_an_interval_holds_the_estimate_and_widens_with_confidence(
    interval: Interval, estimators: tuple[Estimator, ...], world: RewardWorld
) -> None:
    rows = world.log(500, np.random.default_rng(2))
    totals = Totals(estimators)
    totals.add(rows)
    wide, narrow = bounds(interval, estimators, rows, 0.01), bounds(interval, estimators, rows, 0.2)
    for estimator, outer, inner in zip(estimators, wide, narrow, strict=True):
        assert outer.low < inner.low < estimator.value(totals.sample().means) < inner.high < outer.high


@every_interval
def test_more_rows_make_an_interval_narrower(
    interval: Interval, estimators: tuple[Estimator, ...], world: RewardWorld
) -> None:
    few = bounds(interval, estimators, world.log(300, np.random.default_rng(3)))
    many = bounds(interval, estimators, world.log(6_000, np.random.default_rng(4)))
    assert all(b.high - b.low < a.high - a.low for a, b in zip(few, many, strict=True))


@every_interval
def test_the_error_probability_must_be_one(
    interval: Interval, estimators: tuple[Estimator, ...], world: RewardWorld
) -> None:
    for alpha in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(NotAvailable, match="alpha"):
            bounds(interval, estimators, world.log(50, np.random.default_rng(5)), alpha)


@pytest.mark.parametrize("interval", [Normal(), Bernstein(LIMITS)], ids=["normal", "bernstein"])
def test_shoppers_of_one_row_each_are_rows(interval: Interval, world: RewardWorld) -> None:
    rows = world.log(400, np.random.default_rng(6), shoppers=np.arange(400))
    (plain,), (clustered,) = (bounds(interval, (IPW(),), rows, clustered=flag) for flag in (False, True))
    assert list(clustered) == pytest.approx(list(plain), rel=1e-9)


def test_clusters_are_seen_whatever_the_order_of_their_rows(world: RewardWorld) -> None:
    rows = world.log(400, np.random.default_rng(7), shoppers=np.repeat(np.arange(40), 10))
    order = np.random.default_rng(8).permutation(400)
    mixed = replace(
        rows,
        **{name: getattr(rows, name)[order] for name in ("reward", "propensity", "target_propensity")},
        shoppers=np.repeat(np.arange(40), 10)[order],
    )
    (one,), (two,) = (
        bounds(Normal(), (SNIPW(),), rows, clustered=True),
        bounds(Normal(), (SNIPW(),), mixed, clustered=True),
    )
    assert list(one) == pytest.approx(list(two), rel=1e-9)


def test_copied_rows_widen_only_a_clustered_interval(world: RewardWorld) -> None:
    """Ten copies of a row are no news: clustered by shopper, the interval is that of the originals."""
    rows = world.log(300, np.random.default_rng(9), shoppers=np.arange(300))
    ten = np.repeat(np.arange(300), 10)
    copied = LoggedBatch.of(
        reward=rows.reward[ten],
        propensity=rows.propensity[ten],
        target_propensity=rows.target_propensity[ten],
        shoppers=ten,
    )
    (plain,) = bounds(Normal(), (IPW(),), rows, clustered=True)
    (clustered,) = bounds(Normal(), (IPW(),), copied, clustered=True)
    (naive,) = bounds(Normal(), (IPW(),), copied)
    assert list(clustered) == pytest.approx(list(plain), rel=1e-9)
    assert naive.high - naive.low < 0.4 * (plain.high - plain.low)


def test_bootstrap_does_not_depend_on_chunks(world: RewardWorld) -> None:
    rows = world.log(300, np.random.default_rng(10), shoppers=np.random.default_rng(11).integers(0, 60, 300))
    interval = Bootstrap(draws=50, seed=3)
    whole, head, tail = (Totals([SNIPW()], "shoppers") for _ in range(3))
    whole.add(rows)
    head.add(rows.slice(0, 120))
    tail.add(rows.slice(120, 300))
    (one,) = interval.bounds([SNIPW()], whole.sample(), 0.05)
    (two,) = interval.bounds([SNIPW()], (head + tail).sample(), 0.05)
    assert list(one) == pytest.approx(list(two), rel=1e-9)


def heavy(rows: LoggedBatch) -> LoggedBatch:
    """Let another target weigh the first row a million times."""
    other = rows.as_logging()
    propensity = np.where(np.arange(len(rows)) == 0, 1e-6, 1.0)
    return replace(other, propensity=propensity, target_propensity=np.ones(len(rows)))


def hits(make: Callable[[np.random.Generator], Bounds], truth: float, repetitions: int) -> int:
    random = np.random.default_rng(12)
    return sum(low <= truth <= high for low, high in (make(random) for _ in range(repetitions)))


@pytest.mark.parametrize("estimator", [IPW(), SNIPW(), DR(), SNDR(), Difference(DR())], ids=repr)
def test_normal_intervals_cover(estimator: Estimator, world: RewardWorld) -> None:
    """Of 400 the 95 % interval misses some 20; fewer than 7 or more than 37 has a chance below 1 in 2,000."""
    truth = world.truth
    if isinstance(estimator, Difference):
        truth -= float((world.logging * world.chance).sum(axis=1).mean())

    def make(random: np.random.Generator) -> Bounds:
        rows = world.log(800, random)
        return bounds(Normal(), (estimator,), replace(rows, against=rows.as_logging()))[0]

    assert 400 - 37 <= hits(make, truth, 400) <= 400 - 7


def test_clustered_intervals_cover_where_naive_ones_do_not() -> None:
    """Shoppers differ in how they like everything: of 300 clustered intervals at most 29 miss (1 in 1,000)."""
    world, shoppers = RewardWorld.of(3), np.repeat(np.arange(100), 10)
    clustered = naive = 0
    random = np.random.default_rng(13)
    for _ in range(300):
        rows = world.log(1000, random, shoppers=shoppers)
        mood = random.normal(0, 0.5, 100)[shoppers]
        rows = replace(rows, reward=rows.reward + mood)
        clustered += is_held(bounds(Normal(), (DR(),), rows, clustered=True)[0], world.truth)
        naive += is_held(bounds(Normal(), (DR(),), rows)[0], world.truth)
    assert clustered >= 300 - 29
    assert naive < 0.85 * 300


@pytest.mark.parametrize(
    ("interval", "estimator"), [("bernstein", IPW()), ("bernstein", DR()), ("clopper-pearson", IPW())]
)
def test_finite_sample_intervals_cover_even_small_samples(
    interval: str, estimator: Estimator, world: RewardWorld
) -> None:
    limits = Limits(0.0, 1.0, world.max_weight)

    def make(random: np.random.Generator) -> Bounds:
        return bounds(make_interval(interval, limits=limits), (estimator,), world.log(40, random))[0]

    assert hits(make, world.truth, 400) >= 400 * 0.95 - 3 * np.sqrt(400 * 0.05 * 0.95)


@pytest.mark.parametrize("estimator", [IPW(), DR()], ids=repr)
def test_bernstein_bounds_a_difference_by_the_scores_of_both(estimator: Estimator, world: RewardWorld) -> None:
    rows = world.log(4_000, np.random.default_rng(19))
    (single,) = bounds(Bernstein(LIMITS), (estimator,), rows)
    (apart,) = bounds(Bernstein(LIMITS), (Difference(estimator),), replace(rows, against=rows.as_logging()))
    assert apart.low < world.truth - world.logged_truth < apart.high
    assert apart.high - apart.low < 4 * (single.high - single.low)


def test_rounding_breaks_no_promise(world: RewardWorld) -> None:
    rows = world.log(100, np.random.default_rng(20))
    limits = Limits(0.0, 1.0, float(rows.weight.max()) / (1 + 1e-12))
    assert bounds(Bernstein(limits), (DR(),), replace(rows, v_target=np.full(100, 1 + 1e-12)))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda rows: bounds(Bernstein(LIMITS), (SNIPW(),), rows), "self-normalised"),
        (lambda rows: bounds(Bernstein(Limits(0, 1)), (IPW(),), rows), "largest possible weight"),
        (lambda rows: bounds(ClopperPearson(LIMITS), (DR(),), rows), "exists for ipw"),
        (lambda rows: bounds(ClopperPearson(LIMITS), (IPW(),), rows, clustered=True), "independent rows"),
        (lambda rows: ClopperPearson(Limits(0, 2, 8)), "0 and 1 only"),
        (lambda rows: ConfidenceSequence(Limits(0, 1), robust=True), "largest possible weight"),
        (lambda rows: ConfidenceSequence(Limits(0, 0.5)).update(rows), r"outside \[0, 0.5\]"),
        (lambda rows: ConfidenceSequence(Limits(0, 1, 0.1), robust=True).update(rows), "is above 0.1"),
        (
            lambda rows: bounds(Bernstein(Limits(0, 0.5, 8)), (IPW(),), rows),
            r"outside \[0, 0.5\]: they reach from 0 to 1",
        ),
        (lambda rows: bounds(Bernstein(Limits(0, 1, 0.1)), (IPW(),), rows), r"a weight of .* is above 0.1"),
        (lambda rows: bounds(ClopperPearson(Limits(0, 1, 0.1)), (IPW(),), rows), r"a weight of .* is above 0.1"),
        (lambda rows: bounds(ClopperPearson(LIMITS), (IPW(),), replace(rows, reward=rows.reward * 2)), "from 0 to 2"),
        (
            lambda rows: bounds(Bernstein(LIMITS), (DR(),), replace(rows, v_target=rows.v_target + 1)),
            "a prediction of the reward model lies outside",
        ),
        (
            lambda rows: bounds(Bernstein(LIMITS), (Difference(IPW()),), replace(rows, against=heavy(rows))),
            "a weight of 1e.06 is above 8",
        ),
        (lambda rows: Limits(0, 1, -5), "largest possible weight must be positive, not -5"),
        (lambda rows: Limits(0, 1, 0), "largest possible weight must be positive, not 0"),
        (lambda rows: Limits(0, 1, float("nan")), "largest possible weight must be positive, not nan"),
        (lambda rows: Limits(1, 0), "must rise"),
        (lambda rows: Question([SNIPW()], "bernstein", limits=LIMITS), "self-normalised"),
        (lambda rows: Question([IPW()], "bernstein"), "largest possible weight"),
        (lambda rows: Question([DR()], "clopper-pearson", limits=LIMITS), "exists for ipw, not for dr"),
        (lambda rows: Question([IPW()], "clopper-pearson"), "largest possible weight"),
        (lambda rows: Question([DR()], "sequence"), "largest possible weight"),
        (lambda rows: Evaluation(PAIRABLE).add(replace(rows, against=rows.as_logging())), "not for ipw.difference"),
        (lambda rows: Bootstrap(draws=1), "at least 2 draws"),
        (lambda rows: make_interval("bayes", limits=LIMITS), "known are normal"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_reason(
    make: Callable[[LoggedBatch], object], complaint: str, world: RewardWorld
) -> None:
    rows = world.log(60, np.random.default_rng(18), shoppers=np.repeat(np.arange(20), 3))
    with pytest.raises(NotAvailable, match=complaint):
        make(rows)
