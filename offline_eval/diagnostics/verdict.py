"""The verdict: whether one may act on an estimate, and the reasons against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite, isinf, sqrt

from offline_eval.diagnostics.calibration import ServedFrequency
from offline_eval.diagnostics.duplicates import Repeats
from offline_eval.diagnostics.overlap import Overlap
from offline_eval.diagnostics.weights import WeightSummary

ENOUGH_ROWS = 1_000
"""Effective rows from which on 95 % intervals cover between 93.5 and 96.5 % (docs/results/coverage.md)."""

TOO_FEW_ROWS = 100
"""With fewer effective rows, asymptotic intervals hold the truth less often than they say."""

ENOUGH_UNITS, TOO_FEW_UNITS = ENOUGH_ROWS / 10, TOO_FEW_ROWS / 10
"""The same for effective independent units, from which a clustered error is estimated (Carter, Schnepel,
Steigerwald 2017, Asymptotic Behavior of a t-test Robust to Cluster Heterogeneity; docs/results/coverage.md)."""

SKEWED = 0.45
"""|expected skewness| ÷ √rows, or ÷ √units, from which on fewer than 90 of 100 nominal 95 % normal intervals hold the
truth; 90 is what `trust` promises. The Edgeworth term .247·skewness²/rows is then five points (Hall 1992, The Bootstrap
and Edgeworth Expansion). How often the promise holds is measured: docs/results/coverage.md, `coverage.trusted`."""

HEAVY_TAIL, NO_MEAN = 0.7, 1.0
"""Tail index from which on means of weights are unreliable, or do not exist (Vehtari et al. 2024)."""

HARMLESS = 0.05
"""Share of the largest weight in the sum of squared weights, up to which the largest weight is harmless, whatever the
tail index. Where the mean of squares does not exist, the largest term has a share that does not fall with the number of
rows (Darling 1952, The Influence of the Maximum Term in the Addition of Independent Random Variables): with an index of
.7 it was above .1 in 95 of 100 logs of 1,000 to 100,000 rows."""

DOMINANT = 0.05
"""Share of all weight in one row, or in one independent unit, above which this one dominates the estimate."""

DOUBTFUL_Z, WRONG_Z = 3.0, 5.0
"""Standard errors that come by chance once in 370 evaluations, and once in 1.7 million."""

UNSUPPORTED = 0.01
"""Probability of the target for what the logging policy never draws: no log can say what happens there."""

REPEATED = 0.01
CLIPPED = 0.05


class Level(IntEnum):
    """How far an estimate can be trusted; a greater level is worse."""

    trust = 0
    caution = 1
    do_not_use = 2

    @property
    def text(self) -> str:
        """The level in words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Finding:
    """One finding: how bad it is, a stable code, and a sentence with the numbers."""

    level: Level
    code: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """The level of the worst finding, and all findings, the worst first."""

    level: Level
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Iterator[Finding] | list[Finding]) -> Verdict:
        """Take the worst level of some findings."""
        ordered = tuple(sorted(findings, key=lambda finding: -finding.level))
        return cls(ordered[0].level if ordered else Level.trust, ordered)


@dataclass(frozen=True)
class Evidence:
    """What a verdict is made from.

    ``other_policy`` is the other policy's overlap, where a difference is asked for. ``model_z`` is the mean of the
    weighted rewards minus the reward model's predictions, in standard errors, and ``trusting`` names the estimators
    whose value the model's error moves. Where whole distributions were logged, ``served_p_value`` is the probability
    that any served frequency differs so much from its propensities by chance, and ``served_least_probable`` is the
    least probable of the frequencies. ``without_value`` names the estimates that are NaN. ``further`` are findings from
    outside.
    """

    overlap: Overlap
    units: int
    repeats: Repeats
    other_policy: Overlap | None = None
    model_z: float = 0.0
    trusting: tuple[str, ...] = ()
    served_least_probable: ServedFrequency | None = None
    served_p_value: float = 1.0
    without_value: tuple[str, ...] = ()
    further: tuple[Finding, ...] = ()


def judge(evidence: Evidence) -> Verdict:
    return Verdict.of(
        [
            *_judge_overlap(evidence.overlap, evidence.units),
            *_judge_log(evidence),
            *_judge_other_policy(evidence),
            *evidence.further,
        ]
    )


def _judge_other_policy(evidence: Evidence) -> Iterator[Finding]:
    """Judge the overlap of the other policy, on which a difference depends as well."""
    if evidence.other_policy is not None:
        for finding in _judge_overlap(evidence.other_policy, evidence.units):
            yield Finding(finding.level, f"against.{finding.code}", f"of the other policy: {finding.text}")


def _judge_overlap(overlap: Overlap, units: int) -> Iterator[Finding]:
    yield from _judge_weights(overlap.weights)
    if units < overlap.weights.rows:
        yield from _judge_units(overlap, units)
    if units > 1:  # one unit has no standard error; `few_units` reports it
        yield from _judge_mean_weight(overlap)
    if overlap.unsupported > 0:
        level = Level.do_not_use if overlap.unsupported > UNSUPPORTED else Level.caution
        text = f"the target puts {overlap.unsupported:.2%} of its choices where the logging policy never went"
        yield Finding(level, "support", text)
    if overlap.clipped > CLIPPED:
        yield Finding(Level.caution, "clipped_mass", f"clipping takes {overlap.clipped:.1%} of the weight away")


def _judge_weights(weights: WeightSummary) -> Iterator[Finding]:
    size = weights.effective_sample_size
    if not size >= ENOUGH_ROWS:  # NaN, where weights are too large to square, counts too
        level = Level.caution if size >= TOO_FEW_ROWS else Level.do_not_use
        yield Finding(level, "effective_sample_size", f"{weights.rows:,} rows count as {size:,.1f} effective rows")
    if weights.largest_share > DOMINANT:
        level = Level.do_not_use if weights.largest_share > 2 * DOMINANT else Level.caution
        yield Finding(level, "largest_weight", f"one row has {weights.largest_share:.1%} of all weight")
    if weights.tail_index > HEAVY_TAIL and weights.largest_square_share > HARMLESS:
        level = Level.do_not_use if weights.tail_index > NO_MEAN else Level.caution
        yield Finding(level, "weight_tail", f"the weights' tail index is {weights.tail_index:.2f}")
    if isinf(weights.skewness):
        text = "all that has weight was rewarded alike: nothing tells how far another log's value would lie"
        yield Finding(Level.caution, "same_rewards", text)
    elif abs(weights.skewness) > SKEWED * sqrt(weights.rows):
        text = f"weighted rewards are skewed ({weights.skewness:.0f}): {weights.rows:,} rows are few for an interval"
        yield Finding(Level.caution, "skewed_rewards", text)


def _judge_units(overlap: Overlap, units: int) -> Iterator[Finding]:
    size, share = overlap.effective_units, overlap.largest_unit
    if not size >= ENOUGH_UNITS:
        level = Level.caution if size >= TOO_FEW_UNITS else Level.do_not_use
        yield Finding(level, "effective_units", f"{units:,} shoppers count as {size:,.1f} effective ones")
    if share > DOMINANT:
        level = Level.do_not_use if share > 2 * DOMINANT else Level.caution
        yield Finding(level, "largest_unit", f"one shopper has {share:.1%} of all weight")
    skewness = overlap.units_skewness
    if isfinite(skewness) and abs(skewness) > SKEWED * sqrt(units):
        text = f"shoppers' weighted rewards are skewed ({skewness:.0f}): {units:,} shoppers are few for an interval"
        yield Finding(Level.caution, "skewed_units", text)


def _judge_mean_weight(overlap: Overlap) -> Iterator[Finding]:
    z = abs(overlap.mean_weight_z)
    if z > DOUBTFUL_Z:
        level = Level.do_not_use if z > WRONG_Z else Level.caution
        text = f"the mean weight is {overlap.weights.mean:.3f}, {z:.1f} standard errors from 1: "
        yield Finding(level, "mean_weight", text + "propensities are wrong, or rare joint actions have no support")


def _judge_log(evidence: Evidence) -> Iterator[Finding]:
    if evidence.without_value:
        text = f"no value came out for {', '.join(evidence.without_value)}: no row has weight, or numbers are too large"
        yield Finding(Level.do_not_use, "no_value", text)
    if evidence.units < ENOUGH_UNITS:
        level = Level.do_not_use if evidence.units < 2 else Level.caution
        yield Finding(level, "few_units", f"only {evidence.units} independent units")
    frequency = evidence.served_least_probable
    if frequency is not None and evidence.served_p_value < 1e-3:
        level = Level.do_not_use if evidence.served_p_value < 1e-6 else Level.caution
        text = f"served frequencies differ from the logged propensities (p-value {evidence.served_p_value:.1g}): "
        text += f"{frequency.label} was drawn {frequency.drawn:,} times, {frequency.expected:,.1f} were expected"
        yield Finding(level, "propensity_calibration", text)
    if evidence.repeats.known and evidence.repeats.share > REPEATED:
        yield Finding(Level.caution, "duplicated_rows", f"{evidence.repeats.share:.1%} of the rows repeat another one")
    if abs(evidence.model_z) > DOUBTFUL_Z and evidence.trusting:
        text = f"the reward model's value lies {abs(evidence.model_z):.1f} standard errors from what the rewards say: "
        better = "dr unclipped" if "dr" in evidence.trusting else "dr"
        yield Finding(Level.caution, "reward_model", f"{text}read {better}, not {', '.join(evidence.trusting)}")
