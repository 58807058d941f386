"""How often intervals contain the truth: thousands of simulated logs from worlds with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from math import sqrt

import numpy as np

from decision_service.cli.measurements import Measured
from offline_eval import DR, IPW, SNDR, SNIPW, Difference, Estimator, Limits, LoggedBatch, Question, Totals, evaluate
from offline_eval.diagnostics.verdict import Level
from offline_eval.intervals import Bernstein, Bootstrap, Bounds, ClopperPearson, Interval, Normal
from offline_eval.intervals.sequence import ConfidenceSequence
from tests.reference.worlds import Array, Orders, RewardWorld

_ALPHA = 0.05
_LOOKS = 25
_ROWS_A_LOOK = 100
_ASYMPTOTIC: tuple[Estimator, ...] = (IPW(), SNIPW(), DR(), SNDR())


def measure(repetitions: int, seed: int, progress: Callable[[str], None]) -> list[Measured]:
    """Measure the coverage of nominal 95 % intervals; each share has its own 95 % interval."""
    world = RewardWorld.of(seed)
    return [result for part in _PARTS for result in part(world, repetitions, seed, progress)]


def _cover_independent(
    world: RewardWorld, repetitions: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Measured]:
    progress("normal intervals of independent rows")
    random = np.random.default_rng([seed, 1])
    estimators = (*_ASYMPTOTIC, Difference(DR()))
    truth = {estimator.name: world.truth for estimator in _ASYMPTOTIC} | {
        "dr.difference": world.truth - world.logged_truth
    }
    held, size = {estimator.name: 0 for estimator in estimators}, 0.0
    for _ in range(repetitions):
        rows = world.log(3_000, random)
        rows = replace(rows, against=rows.as_logging())
        size += float(rows.weight.sum() ** 2 / (rows.weight @ rows.weight)) / repetitions
        for estimator, bounds in zip(estimators, _bounds(Normal(), estimators, rows), strict=True):
            held[estimator.name] += _holds(bounds, truth[estimator.name])
    yield Measured("coverage.normal.effective_sample_size", size, unit="rows")
    for name, count in held.items():
        yield _share(f"coverage.normal.{name}", count, repetitions)


def _cover_clustered(
    world: RewardWorld, repetitions: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Measured]:
    progress("intervals clustered by shopper")
    random = np.random.default_rng([seed, 2])
    shoppers = np.repeat(np.arange(500), 8)
    held = {estimator.name: 0 for estimator in _ASYMPTOTIC}
    naive = 0
    for _ in range(repetitions):
        rows = _crowd(world, shoppers, random)
        for estimator, bounds in zip(_ASYMPTOTIC, _bounds(Normal(), _ASYMPTOTIC, rows), strict=True):
            held[estimator.name] += _holds(bounds, world.truth)
        naive += _holds(_bounds(Normal(), (DR(),), replace(rows, shoppers=None))[0], world.truth)
    for name, count in held.items():
        yield _share(f"coverage.clustered.{name}", count, repetitions)
    yield _share("coverage.not_clustered.dr", naive, repetitions)


def _crowd(world: RewardWorld, shoppers: Array, random: np.random.Generator) -> LoggedBatch:
    """Draw a log in which every shopper has an effect on all rewards."""
    rows = world.log(len(shoppers), random, shoppers=shoppers)
    effect = random.normal(0, 0.4, int(shoppers.max()) + 1)
    return replace(rows, reward=rows.reward + effect[shoppers])


def _cover_bootstrap(
    world: RewardWorld, repetitions: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Measured]:
    progress("bootstrap by cluster")
    random = np.random.default_rng([seed, 3])
    shoppers = np.repeat(np.arange(500), 8)
    held = 0
    for number in range(repetitions):
        rows = _crowd(world, shoppers, random)
        held += _holds(_bounds(Bootstrap(400, seed=number), (SNIPW(),), rows)[0], world.truth)
    yield _share("coverage.bootstrap.snipw", held, repetitions)


def _cover_finite(
    world: RewardWorld, repetitions: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Measured]:
    progress("finite-sample intervals")
    limits = Limits(0.0, 1.0, world.max_weight)
    cases: tuple[tuple[Interval, Estimator], ...] = (
        (Bernstein(limits), IPW()),
        (Bernstein(limits), DR()),
        (ClopperPearson(limits), IPW()),
    )
    for rows in (30, 2_000):
        random = np.random.default_rng([seed, 4, rows])
        held = [0] * len(cases)
        for _ in range(repetitions):
            log = world.log(rows, random)
            for place, (interval, estimator) in enumerate(cases):
                held[place] += _holds(_bounds(interval, (estimator,), log)[0], world.truth)
        for count, (interval, estimator) in zip(held, cases, strict=True):
            yield _share(f"coverage.{interval.name}.{estimator.name}.rows_{rows}", count, repetitions)


def _cover_sequences(
    world: RewardWorld, repetitions: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Measured]:
    progress(f"confidence sequences, looked at {_LOOKS} times each")
    random = np.random.default_rng([seed, 5])
    limits = Limits(0.0, 1.0, world.max_weight)
    missed = dict.fromkeys(("sequence.ipw", "sequence.dr", "peeked_normal.ipw"), 0)
    for _ in range(repetitions):
        plain, robust, totals = ConfidenceSequence(limits), ConfidenceSequence(limits, robust=True), Totals([IPW()])
        ever = dict.fromkeys(missed, False)
        for _ in range(_LOOKS):
            rows = world.log(_ROWS_A_LOOK, random)
            for sequence in (plain, robust):
                sequence.update(rows)
            totals.add(rows)
            ever["sequence.ipw"] |= not _holds(plain.bounds(_ALPHA), world.truth)
            ever["sequence.dr"] |= not _holds(robust.bounds(_ALPHA), world.truth)
            looked = Normal().bounds([IPW()], totals.sample(), _ALPHA)[0]
            ever["peeked_normal.ipw"] |= not _holds(looked, world.truth)
        for name, flag in ever.items():
            missed[name] += flag
    for name, count in missed.items():
        yield _share(f"coverage.{name}.ever_missed", count, repetitions)


def _cover_unequal_shoppers(
    world: RewardWorld, repetitions: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Measured]:
    """Measure by verdict how often `snipw` contains the truth if one shopper has many rows."""
    for heaviest in (12, 180, 280, 420, 6_000):
        shoppers = np.repeat(np.arange(301), [heaviest, *[12] * 300])
        name = f"heaviest_{heaviest}_of_{len(shoppers)}"
        progress(f"verdicts on unequal shoppers: {name}")
        log = partial(_crowd, world, shoppers, np.random.default_rng([seed, 7]))
        yield from _by_verdict(name, log, world.truth, max(1, repetitions // 4))


def _cover_rare_rewards(
    world: RewardWorld, repetitions: int, seed: int, progress: Callable[[str], None]
) -> Iterator[Measured]:
    """Measure by verdict how often `snipw` contains the truth if rewards are rare."""
    for chance, (weight, poverty), rows in product((0.01, 0.05, 0.2), _OVERLAPS, (5_000, 20_000)):
        orders = Orders(chance, weight, poverty)
        name = f"orders_{chance:g}.weight_{weight:g}.poverty_{poverty:g}.rows_{rows}"
        progress(f"verdicts on rare rewards: {name}")
        log = partial(orders.log, rows, np.random.default_rng([seed, 6]))
        yield from _by_verdict(name, log, orders.truth, max(1, repetitions // 4))


def _by_verdict(name: str, log: Callable[[], LoggedBatch], truth: float, repetitions: int) -> Iterator[Measured]:
    held = {True: [0, 0], False: [0, 0]}  # by trust: intervals that contain the truth, all intervals
    for _ in range(repetitions):
        report = evaluate(log(), Question([SNIPW()]))
        counts = held[report.verdict.level is Level.trust]
        counts[0] += report.estimates[0].low <= truth <= report.estimates[0].high
        counts[1] += 1
    for trusted, (count, logs) in held.items():
        if logs:
            verdict = "trusted" if trusted else "not_trusted"
            yield _share(f"coverage.{verdict}.{name}", count, logs, f"such logs, {repetitions} in all")


_OVERLAPS = ((1.0, 1.0), (4.0, 1.0), (4.0, 10.0), (20.0, 1.0), (20.0, 10.0))
"""The larger weight, and the factor by which rewards are rarer in its rows."""

_PARTS = (
    _cover_independent,
    _cover_clustered,
    _cover_bootstrap,
    _cover_finite,
    _cover_sequences,
    _cover_unequal_shoppers,
    _cover_rare_rewards,
)


def _bounds(interval: Interval, estimators: tuple[Estimator, ...], rows: LoggedBatch) -> list[Bounds]:
    totals = Totals(estimators, interval.keep(clustered=rows.shoppers is not None))
    totals.add(rows)
    return interval.bounds(estimators, totals.sample(), _ALPHA)


def _holds(bounds: Bounds, truth: float) -> bool:
    return bounds.low <= truth <= bounds.high


def _share(name: str, count: int, repetitions: int, what: str = "logs") -> Measured:
    """Return a share with its normal interval, at least 1/repetitions wide."""
    share = count / repetitions
    reach = 1.96 * sqrt(max(share * (1 - share), 1 / repetitions) / repetitions)
    return Measured(name, share, max(0.0, share - reach), min(1.0, share + reach), f"of {repetitions} {what}")
