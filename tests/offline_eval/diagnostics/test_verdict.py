"""Diagnostics merge like estimators, and the verdict gives its reasons."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from offline_eval import (
    DM,
    DR,
    IPW,
    SNIPW,
    Evaluation,
    EvaluationReport,
    LoggedBatch,
    Question,
    evaluate,
    make_estimators,
)
from offline_eval.diagnostics.calibration import RewardCalibration, ServedFrequencies
from offline_eval.diagnostics.duplicates import Duplicates, Repeats
from offline_eval.diagnostics.history import HistoryCheck
from offline_eval.diagnostics.verdict import Level
from offline_eval.diagnostics.weights import Weights
from offline_eval.groups import Groups, find_bad_groups
from offline_eval.logs.decisions import HOLD, LoggedDecision
from offline_eval.reports.html import render_page
from offline_eval.targets import UniformTarget
from offline_eval.weighing import Weighing
from policies.catalogue.action_space import JointAction
from tests.reference.worlds import World


@pytest.fixture(scope="module")
def world() -> World:
    return World.of(1)


SKEWED_UNITS = {"skewed_units": Level.caution}


def codes(report: EvaluationReport) -> dict[str, Level]:
    return {reason.code: reason.level for reason in report.verdict.findings}


def lean(rows: LoggedBatch, **changes: object) -> EvaluationReport:
    return evaluate(replace(rows, **changes), Question(estimators=[IPW(), DR()]))  # type: ignore[arg-type]


def test_a_sound_log_is_trusted(world: World) -> None:
    report = lean(world.log(20_000, np.random.default_rng(1)))
    assert report.verdict.level is Level.trust, report.verdict
    assert report.verdict.findings == ()


def test_few_effective_rows_are_no_ground(world: World) -> None:
    assert codes(lean(world.log(600, np.random.default_rng(2))))["effective_sample_size"] is Level.caution
    assert codes(lean(world.log(60, np.random.default_rng(3))))["effective_sample_size"] is Level.do_not_use


def test_wrong_propensities_move_the_mean_weight(world: World) -> None:
    rows = world.log(20_000, np.random.default_rng(4))
    report = lean(rows, propensity=np.minimum(1.0, rows.propensity * 1.25))
    assert codes(report)["mean_weight"] is Level.do_not_use


def test_missing_support_moves_the_mean_weight_too(world: World) -> None:
    rows = world.log(20_000, np.random.default_rng(5))
    kept = rows.where(rows.weight < np.quantile(rows.weight, 0.9))
    assert "mean_weight" in codes(lean(kept))


def test_one_tiny_propensity_is_fatal(world: World) -> None:
    """As in the Open Bandit women's log, where one propensity is rounded to 1e-6."""
    rows = world.log(10_000, np.random.default_rng(6))
    propensity = rows.propensity.copy()
    propensity[17] = 1e-6
    report = lean(rows, propensity=propensity)
    assert report.verdict.level is Level.do_not_use
    assert {"effective_sample_size", "largest_weight"} <= codes(report).keys()
    assert report.diagnostics.weights.effective_sample_size < 3


def test_unsupported_mass_is_told(world: World) -> None:
    rows = world.log(20_000, np.random.default_rng(7))
    assert codes(lean(rows, unsupported=np.full(len(rows), 0.005)))["support"] is Level.caution
    assert codes(lean(rows, unsupported=np.full(len(rows), 0.05)))["support"] is Level.do_not_use


def test_rows_loaded_twice_are_noticed_and_discrete_rows_are_not_blamed(world: World) -> None:
    random = np.random.default_rng(8)
    rows = world.log(5_000, random)
    assert "duplicated_rows" not in codes(lean(rows))
    fine = replace(rows, v_target=random.random(5_000))
    assert "duplicated_rows" not in codes(lean(fine))
    twice = evaluate([fine, fine], Question(estimators=[DR()]))
    assert "duplicated_rows" in codes(twice)
    assert twice.diagnostics.repeats.share == pytest.approx(0.5)


def test_a_name_that_comes_twice_is_a_row_loaded_twice(world: World) -> None:
    rows = replace(
        world.log(4_000, np.random.default_rng(20)), events=np.array([f"e-{n % 3_000}" for n in range(4_000)])
    )
    assert evaluate(rows, Question(estimators=[IPW()])).diagnostics.repeats.share == pytest.approx(0.25)


def test_however_often_a_log_with_names_was_loaded_it_is_known(world: World) -> None:
    names = np.array([f"e-{n}" for n in range(500)])
    rows = replace(world.log(500, np.random.default_rng(21)), events=names)
    for times in (1, 2, 6, 10):
        repeats = evaluate([rows] * times, Question(estimators=[IPW()])).diagnostics.repeats
        assert repeats.known
        assert repeats.share == pytest.approx(1 - 1 / times)
    one, two = Duplicates(), Duplicates()
    one.add(rows)
    two.add(rows)
    assert (one + two).repeats() == Repeats(0.5, known=True)


def sends(shopper: int, recent: NDArray[np.int64], reward: NDArray[np.float64]) -> list[LoggedDecision]:
    actions, evenly = (JointAction("m", "push", 0), HOLD), np.full(2, 0.5)
    return [
        LoggedDecision(f"e-{shopper}-{n}", f"s-{shopper}", 0.0, {"recent_sends": int(x)}, actions, evenly, 0, float(r))
        for n, (x, r) in enumerate(zip(recent, reward, strict=True))
    ]


def watch(decisions: list[LoggedDecision]) -> HistoryCheck:
    history = HistoryCheck()
    assert sum(1 for _ in history.watch(decisions)) == len(decisions)
    return history


def test_history_is_flagged_by_chance_only_although_shoppers_differ() -> None:
    """100 shoppers of 20 sends each, each with an own rate and an own number of recent sends, which do nothing.

    Taken as 2,000 independent sends, a quarter of such logs is flagged; two of 20 by chance once in 700.
    """
    random, flagged = np.random.default_rng(23), 0
    for _ in range(20):
        log = []
        for shopper in range(100):
            recent, rate = np.full(20, random.integers(0, 7)), random.random()
            log += sends(shopper, recent, (random.random(20) < rate).astype(np.float64))
        flagged += bool(watch(log).findings(is_logging=False))
    assert flagged <= 1


def test_history_that_matters_is_flagged_and_merges() -> None:
    random, log = np.random.default_rng(1), []
    for shopper in range(150):
        recent = random.integers(0, 7, 20)
        log += sends(shopper, recent, (random.random(20) < 0.5 - 0.05 * recent).astype(np.float64))
    (whole,) = watch(log).findings(is_logging=False)
    (merged,) = (watch(log[:1_010]) + watch(log[1_010:])).findings(is_logging=False)
    assert whole == merged
    assert "a send earns -0.05" in whole.text
    assert watch(log).findings(is_logging=True) == []


def test_shoppers_who_meet_the_same_again_are_no_duplicates(world: World) -> None:
    """Values are those of the shopper's unchanged context: rows repeat, but so do values of unequal rows."""
    random = np.random.default_rng(19)
    own = random.random(1_500)[np.repeat(np.arange(1_500), 4)]
    rows = replace(world.log(6_000, random), v_target=own)
    assert not evaluate(rows, Question(estimators=[DR()])).diagnostics.repeats.known


def test_a_biased_reward_model_warns_of_the_direct_method_only(world: World) -> None:
    rows = world.log(20_000, np.random.default_rng(9))
    assert "reward_model" in codes(evaluate(rows, Question(estimators=make_estimators(["dm", "dr"]))))
    assert "reward_model" not in codes(evaluate(rows, Question(estimators=[DR()])))


def test_clipped_mass_is_told(world: World) -> None:
    rows = world.log(20_000, np.random.default_rng(10))
    assert "clipped_mass" in codes(evaluate(rows, Question(estimators=[IPW(max_weight=1.0)])))


def test_skewed_rewards_are_told() -> None:
    random = np.random.default_rng(11)
    reward = np.zeros(20_000)
    reward[:4] = 1.0
    rows = LoggedBatch.of(
        reward=reward, propensity=np.full(20_000, 0.5), target_propensity=random.choice([0.4, 0.6], 20_000)
    )
    assert codes(evaluate(rows, Question(estimators=[IPW()])))["skewed_rewards"] is Level.caution


def test_rare_rewards_are_told_also_where_the_heavy_rows_hold_none() -> None:
    """40 of 20,000 rows are rewarded, none of the 500 that carry half of the weight: the interval knows no better."""
    heavy, last = np.arange(20_000) < 500, np.arange(20_000) >= 19_960
    rows = LoggedBatch.of(
        reward=last.astype(np.float64),
        propensity=np.where(heavy, 0.025, 0.975),
        target_propensity=np.full(20_000, 0.5),
    )
    assert codes(evaluate(rows, Question(estimators=[IPW()]))) == {"skewed_rewards": Level.caution}
    often = replace(rows, reward=(np.arange(20_000) % 20 == 0).astype(np.float64))
    assert codes(evaluate(often, Question(estimators=[IPW()]))) == {}


@pytest.mark.parametrize(("heavy_chance", "light_chance"), [(0.001, 0.02), (0.001, 0.4), (0.0005, 0.4)])
def test_common_rewards_of_light_rows_do_not_hide_the_rare_ones_of_heavy_rows(
    heavy_chance: float, light_chance: float
) -> None:
    """A tenth of the rows has nearly all weight, and a reward or two: such intervals held the truth in 77 to 87 %."""
    told = []
    for seed in range(10):
        random = np.random.default_rng([20, seed])
        heavy = random.random(20_000) < 0.1
        rows = LoggedBatch.of(
            reward=random.random(20_000) < np.where(heavy, heavy_chance, light_chance),
            propensity=np.where(heavy, 0.1, 0.9),
            target_propensity=np.where(heavy, 0.98, 0.02),
        )
        told.append("skewed_rewards" in codes(evaluate(rows, Question([SNIPW()]))))
    assert sum(told) >= 8


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_an_interval_from_rewards_that_are_all_alike_is_not_trusted(reward: float) -> None:
    rows = LoggedBatch.of(
        reward=np.full(20_000, reward),
        propensity=np.full(20_000, 0.5),
        target_propensity=np.random.default_rng(21).choice([0.4, 0.6], 20_000),
    )
    assert codes(evaluate(rows, Question([SNIPW()]))) == {"same_rewards": Level.caution}
    elsewhere = replace(rows, reward=(np.arange(20_000) % 2).astype(np.float64))
    elsewhere = replace(elsewhere, target_propensity=np.where(np.arange(20_000) % 2, 0.0, 1.0))
    assert codes(evaluate(elsewhere, Question([SNIPW()]))) == {"same_rewards": Level.caution}


def test_a_few_shoppers_who_bring_nearly_all_value_are_told() -> None:
    """LoggedBatch of such a shopper look like many rewards; the interval rests on the three of them."""
    shoppers = np.repeat(np.arange(2_000), 12)
    random = np.random.default_rng(22)
    rows = LoggedBatch.of(
        reward=np.where(shoppers < 3, 10.0, random.random(24_000) < 0.02),
        propensity=np.full(24_000, 0.5),
        target_propensity=random.choice([0.3, 0.7], 24_000),
        shoppers=shoppers,
    )
    assert codes(evaluate(rows, Question([SNIPW()]))) == SKEWED_UNITS
    even = replace(rows, reward=(random.random(24_000) < 0.02).astype(np.float64))
    assert codes(evaluate(even, Question([SNIPW()]))) == {}


def test_the_expected_skewness_is_that_of_independent_weights_and_rewards() -> None:
    random = np.random.default_rng(17)
    weights = random.choice([0.5, 5.0], 1_000_000, p=[0.9, 0.1])
    rewards = np.where(random.random(1_000_000) < 0.05, 2.0, 0.0)
    products = weights * (rewards - rewards.mean())
    found = Weights()
    found.add(weights, rewards)
    assert found.summary().skewness == pytest.approx((products**3).mean() / (products**2).mean() ** 1.5, rel=0.05)


def test_a_heavy_tail_has_a_high_index_and_a_bounded_one_a_low_one() -> None:
    random = np.random.default_rng(12)
    for weights, low, high in (
        (random.pareto(1.0, 50_000), 0.85, 1.2),
        (random.pareto(2.0, 50_000), 0.35, 0.65),
        (random.random(50_000), -1.5, 0.2),
        (random.choice([0.5, 1.5], 50_000), 0.0, 0.0),
    ):
        found = Weights()
        found.add(weights, np.ones(50_000))
        assert low <= found.summary().tail_index <= high


@pytest.mark.parametrize(("rows", "chance", "wanted"), [(20_000, 0.0025, 0.125), (50_000, 0.005, 0.1)])
def test_a_step_between_two_levels_of_weights_is_no_tail(rows: int, chance: float, wanted: float) -> None:
    """A nearly greedy log: most weights lie about 1, a few hundred about 20 or 50, and none can be larger."""
    for seed in range(10):
        random = np.random.default_rng([23, seed])
        logged, target = (level * np.exp(random.normal(0, 0.01, rows)) for level in (chance, wanted))
        rare = random.random(rows) < logged
        found = Weights()
        found.add(np.where(rare, target / logged, (1 - target) / (1 - logged)), random.random(rows))
        assert found.summary().tail_index < 0.5


def test_summaries_merge(world: World) -> None:
    rows = world.log(3_000, np.random.default_rng(13))
    head, tail = rows.slice(0, 700), rows.slice(700, 3_000)
    whole, one, two = Weights(), Weights(), Weights()
    for each, part in ((whole, rows), (one, head), (two, tail)):
        each.add(part.weight, part.reward)
    apart, merged = whole.summary(), (one + two).summary()
    assert merged.histogram == apart.histogram
    for name in ("rows", "mean", "effective_sample_size", "largest", "tail_index", "skewness", "zeros"):
        assert getattr(merged, name) == pytest.approx(getattr(apart, name), rel=1e-9), name
    marks = [Duplicates() for _ in range(3)]
    bins = [RewardCalibration() for _ in range(3)]
    for place, part in enumerate((rows, head, tail)):
        marks[place].add(part)
        bins[place].add(part.q_chosen, part.reward)
    assert (marks[1] + marks[2]).repeats() == marks[0].repeats()
    for ours, theirs in zip((bins[1] + bins[2]).bins(), bins[0].bins(), strict=True):
        assert vars(ours) == pytest.approx(vars(theirs))


def test_duplicates_are_found_in_constant_memory() -> None:
    """Beyond what is kept, a fixed fraction of the fingerprints is followed: the share stays right."""
    duplicates = Duplicates()
    random = np.random.default_rng(14)
    ones = np.ones(50_000)
    for number in range(20):
        v = np.random.default_rng(number // 2).random(50_000) if number < 10 else random.random(50_000)
        duplicates.add(LoggedBatch(ones, ones, ones, ones, v))
    assert duplicates.repeats().share == pytest.approx(0.25, abs=0.01)


def test_served_frequencies_know_a_logged_number_that_was_not_drawn_with() -> None:
    """Every draw is logged with probability .9 although it is made evenly (as a softmax logged beside an argmax)."""
    random = np.random.default_rng(15)
    honest, wrong = ServedFrequencies(), ServedFrequencies()
    for _ in range(2_000):
        position = int(random.integers(0, 2))
        honest.add(["a", "b"], np.array([0.5, 0.5]), position)
        wrong.add(["a", "b"], np.array([0.6, 0.4]), position)
    assert honest.chance() > 1e-3
    assert wrong.chance() < 1e-6
    assert (honest + honest).served()[0].drawn == 2 * honest.served()[0].drawn
    assert ServedFrequencies().chance() == 1.0


def test_frequencies_of_joint_actions_are_tested_within_a_channel() -> None:
    """The log claims an even choice of two push messages, and always serves the first."""
    actions = (JointAction("hint", "push", 0), JointAction("reminder", "push", 0))
    log = [LoggedDecision(f"e-{n}", f"s-{n}", 0.0, {}, actions, np.full(2, 0.5), 0, float(n % 2)) for n in range(3_000)]
    weighing, evaluation = Weighing(UniformTarget()), Evaluation(Question([SNIPW()]))
    for rows in weighing.batches(log):
        evaluation.add(rows)
    report = evaluation.report(served=weighing.served)
    assert codes(report) == {"propensity_calibration": Level.do_not_use}
    assert "hint/push/0 was drawn 3,000 times, 1,500.0 were expected" in report.verdict.findings[0].text
    assert [(each.label, each.drawn) for each in report.diagnostics.served] == [("push", 3_000)]


def test_rare_joint_actions_raise_no_false_alarm() -> None:
    """In 60 honest logs of 400 draws among 300 joint actions, some drawn once that were expected .001 times."""
    random = np.random.default_rng(23)
    probabilities = 1 / np.arange(1, 301) ** 2
    probabilities /= probabilities.sum()
    names = [f"a-{number}" for number in range(300)]
    chances, surprises = [], []
    for _ in range(60):
        served = ServedFrequencies()
        for position in random.choice(300, 400, p=probabilities).tolist():
            served.add(names, probabilities, position)
        chances.append(served.chance())
        surprises.append(max(each.z for each in served.served()))
    assert min(chances) > 1e-3
    assert max(surprises) > 5


def test_rounded_propensities_of_a_certain_choice_are_no_surprise() -> None:
    served = ServedFrequencies()
    for _ in range(5_000):
        served.add(["a", "b"], np.array([1 + 5e-7, 0.0]), 0)
    assert served.chance() == 1.0


def test_frequencies_are_counted_in_bounded_memory_and_merge() -> None:
    whole, parts = ServedFrequencies(), [ServedFrequencies(), ServedFrequencies()]
    for number in range(3_000):
        names = ["common", f"rare-{number}"]
        for served in (whole, parts[number // 1_500]):
            served.add(names, np.array([0.5, 0.5]), number % 2)
    found = {each.label: each for each in whole.served()}
    merged = {each.label: each for each in (parts[0] + parts[1]).served()}
    assert len(found) == 1_001
    assert (found["common"].drawn, found["(others)"].drawn) == (1_500, 1_001)
    assert sum(each.expected for each in found.values()) == pytest.approx(3_000)
    assert merged["common"] == found["common"]
    assert sum(each.drawn for each in merged.values()) == 3_000
    assert whole.chance() == pytest.approx(1.0)


def test_values_are_given_whatever_the_verdict(world: World) -> None:
    report = evaluate(world.log(20, np.random.default_rng(16)), Question(estimators=[DM(), IPW()]))
    assert report.verdict.level is Level.do_not_use
    assert all(np.isfinite(each.value) for each in report.estimates)


def crowded(sizes: list[int]) -> LoggedBatch:
    """Shoppers with so many rows each, under a target unlike the log's."""
    shoppers = np.repeat(np.arange(len(sizes)), sizes)
    first = np.random.default_rng(18).random(len(shoppers)) < 0.5
    return LoggedBatch.of(
        reward=first, propensity=first * 0 + 0.5, target_propensity=np.where(first, 0.8, 0.2), shoppers=shoppers
    )


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ([12] * 500, {}),
        ([12] * 500 + [200], {}),
        ([12] * 300 + [280], {"largest_unit": Level.caution, **SKEWED_UNITS}),
        ([12] * 300 + [420], {"largest_unit": Level.do_not_use, "effective_units": Level.caution, **SKEWED_UNITS}),
        (
            [12] * 300 + [6_000],
            {"largest_unit": Level.do_not_use, "effective_units": Level.do_not_use, **SKEWED_UNITS},
        ),
        ([40] * 90, {"effective_units": Level.caution, "few_units": Level.caution}),
    ],
)
def test_a_shopper_with_many_rows_is_one_unit(sizes: list[int], found: dict[str, Level]) -> None:
    rows = crowded(sizes)
    assert codes(evaluate(rows, Question([SNIPW()]))) == found
    assert codes(evaluate(rows, Question([SNIPW()], clustered=False))) == {}
    totals = np.bincount(rows.shoppers, rows.weight) if rows.shoppers is not None else np.zeros(0)
    diagnostics = evaluate(rows, Question([SNIPW()])).diagnostics
    assert diagnostics.effective_units == pytest.approx(totals.sum() ** 2 / (totals @ totals))
    assert diagnostics.largest_unit == pytest.approx(totals.max() / totals.sum())


def test_the_other_policy_of_a_difference_is_judged_too(world: World) -> None:
    rows = replace(world.log(20_000, np.random.default_rng(21)), shoppers=np.arange(20_000) // 4)
    assert codes(evaluate(replace(rows, against=rows.as_logging()), Question([SNIPW()]))) == {}
    seldom = np.where(np.arange(20_000) == 0, 1.0, 1e-4)
    other = replace(rows, target_propensity=seldom, unsupported=np.full(20_000, 0.005))
    report = evaluate(replace(rows, against=other), Question([SNIPW()]))
    assert report.verdict.level is Level.do_not_use
    assert codes(report)["against.largest_weight"] is Level.do_not_use
    assert codes(report)["against.support"] is Level.caution
    assert all(code.startswith("against.") for code in codes(report))
    assert all(reason.text.startswith("of the other policy: ") for reason in report.verdict.findings)
    assert report.diagnostics.against is not None
    assert report.diagnostics.against.weights.effective_sample_size < 20
    assert "other policy: effective rows" in render_page("two", report, {})


def test_logging_as_the_other_policy_has_all_its_support(world: World) -> None:
    rows = world.log(20_000, np.random.default_rng(22))
    own = replace(rows, unsupported=np.full(20_000, 0.005))
    assert codes(evaluate(replace(own, against=own.as_logging()), Question([SNIPW()]))) == {"support": Level.caution}


def weightless(**changes: object) -> LoggedBatch:
    columns: dict[str, object] = {
        "reward": np.arange(200) % 2,
        "propensity": np.full(200, 0.5),
        "target_propensity": np.zeros(200),
        "shoppers": np.arange(200) // 2,
    }
    return LoggedBatch.of(**columns | changes)


@pytest.mark.parametrize("interval", ["normal", "bootstrap", "bootstrap-obp"])
def test_a_target_that_was_never_followed_has_no_self_normalised_value(interval: str) -> None:
    report = evaluate(
        weightless(labels={"day": np.arange(200) % 3}), Question(interval=interval, by=("day",), draws=20)
    )
    found = {each.name: each for each in report.estimates}
    for name in ("snipw", "sndr"):
        assert np.isnan([found[name].value, found[name].low, found[name].high]).all()
    assert found["ipw"].value == 0.0
    assert codes(report)["no_value"] is Level.do_not_use
    assert "no value came out for snipw, sndr" in " ".join(finding.text for finding in report.verdict.findings)
    json.dumps(report.document(), allow_nan=False)
    assert "<svg" in render_page("none", report, {})


def test_resamples_without_weight_do_not_count() -> None:
    """One shopper of 100 has weight: of 60 resamples some hold none of its rows."""
    rows = weightless(target_propensity=(np.arange(200) < 2) * 0.5)
    (snipw,) = evaluate(rows, Question([SNIPW()], "bootstrap", draws=60)).estimates
    assert (snipw.low, snipw.value, snipw.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"reward": np.full(200, 1e308), "target_propensity": np.ones(200)},
        {"propensity": np.full(200, 1e-200), "target_propensity": np.ones(200)},
    ],
    ids=["rewards", "weights"],
)
def test_numbers_too_large_to_add_up_are_not_to_be_used(changes: dict[str, object]) -> None:
    rows = weightless(**changes)
    report = evaluate(replace(rows, against=rows.as_logging()), Question())
    assert report.verdict.level is Level.do_not_use
    json.dumps(report.document(), allow_nan=False)
    assert "<svg" in render_page("huge", report, {})


def test_groups_are_self_normalised_and_cover_all_rows(world: World) -> None:
    rows = world.log(4_000, np.random.default_rng(17))
    labels = np.where(np.arange(4_000) % 4 == 0, "push", "email")
    report = evaluate(replace(rows, labels={"channel": labels}), Question(estimators=[IPW()], by=("channel",)))
    email, push = report.groups["channel"]
    assert (email.label, push.label, email.rows, push.rows) == ("email", "push", 3_000, 1_000)
    assert email.share_target + push.share_target == pytest.approx(1.0)
    own = rows.where(labels == "push")
    assert push.value == pytest.approx(own.gain.sum() / own.weight.sum())


def split_log(chances: dict[str, float], label: str) -> LoggedBatch:
    """A log that claims even choices everywhere, and chooses the first message with these chances."""
    random = np.random.default_rng(24)
    groups = random.choice(list(chances), 20_000)
    first = random.random(20_000) < np.array([chances[each] for each in groups.tolist()])
    return LoggedBatch.of(
        reward=first,
        propensity=np.full(20_000, 0.5),
        target_propensity=np.where(first, 0.9, 0.1),
        shoppers=np.arange(20_000) // 2,
        labels={label: groups},
    )


def test_errors_that_cancel_over_all_are_found_by_segment() -> None:
    rows = split_log({"new": 0.7, "loyal": 0.3, "other": 0.5}, "segment")
    question = Question([SNIPW()], by=("segment",))
    assert codes(evaluate(rows, Question([SNIPW()]))) == {}
    report = evaluate(rows, question)
    assert codes(report) == {"group_mean_weight": Level.do_not_use}
    assert "where segment is loyal the mean weight is 0." in report.verdict.findings[0].text
    assert "(2 such groups)" in report.verdict.findings[0].text
    found = {each.label: each for each in report.groups["segment"]}
    own = rows.where(rows.labels["segment"] == "new")
    totals = np.bincount(np.arange(20_000) // 2, np.where(rows.labels["segment"] == "new", rows.weight, 0.0))
    assert found["new"].mean_weight == pytest.approx(own.weight.mean())
    assert found["new"].mean_weight_error == pytest.approx(totals.std() * len(totals) ** 0.5 / len(own), rel=0.5)
    assert abs(found["other"].mean_weight_z) < 4
    assert f"{found['new'].mean_weight:.3f} ± " in render_page("groups", report, {})
    assert report.document()["groups"]["segment"][0]["mean_weight"] == found["loyal"].mean_weight


def test_what_the_draw_decides_need_not_have_a_mean_weight_of_1() -> None:
    rows = split_log({"push": 0.9, "email": 0.1}, "channel")
    assert codes(evaluate(rows, Question([SNIPW()], by=("channel",)))) == {}
    told = Question([SNIPW()], by=("channel",), known_before=("channel",))
    assert codes(evaluate(rows, told)) == {"group_mean_weight": Level.do_not_use}


@pytest.mark.parametrize("size", [1, 4])
def test_many_groups_of_heavy_weights_raise_no_false_alarm(size: int) -> None:
    """60 honest logs of 20 days each, weights up to 17: uncorrected for skew, some nine have a day that looks wrong."""
    random = np.random.default_rng(25)
    flagged = 0
    for _ in range(60):
        heavy = random.random(16_000) < 0.03
        days = Groups("day", "moments" if size == 1 else "shoppers")
        days.add(
            LoggedBatch.of(
                reward=np.zeros(16_000),
                propensity=np.where(heavy, 0.03, 0.97),
                target_propensity=np.full(16_000, 0.5),
                shoppers=np.arange(16_000) // size,
                labels={"day": np.arange(16_000) // 800},
            )
        )
        flagged += bool(find_bad_groups({"day": days.groups(0.05)}, ["day"]))
    assert flagged <= 3
