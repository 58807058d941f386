"""The benchmarks of offline evaluation, small: that they run, name their results, and find what they claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import coverage, fatigue, offers, open_bandit, scale
from offline_eval.diagnostics.verdict import Level
from tests.reference.worlds import Fatigue, Orders, World

ROOT = Path(__file__).parents[2]
OFFERS = ROOT.parent / "shared" / "data" / "starbucks_offers" / "starbucks_offers_log.csv.gz"
OPEN_BANDIT = next((ROOT / "build" / "parity" / "lib").glob("*/site-packages/obp/dataset/obd"), None)


def test_coverage_names_its_results() -> None:
    results = {each.name: each.value for each in coverage.measure(20, 1, lambda part: None)}
    assert results["coverage.normal.effective_sample_size"] >= 1_000
    assert {"coverage.normal.snipw", "coverage.clustered.dr", "coverage.sequence.dr.ever_missed"} <= results.keys()
    assert {"coverage.trusted.heaviest_12_of_3612", "coverage.not_trusted.heaviest_6000_of_9600"} <= results.keys()
    assert "coverage.not_trusted.orders_0.01.weight_20.poverty_1.rows_5000" in results
    assert all(0 <= value <= 1 for name, value in results.items() if "sample_size" not in name)


def test_fatigue_names_its_results() -> None:
    results = {each.name: each.value for each in fatigue.measure(3, 1)}
    assert results["fatigue.bandit_ips.bias"] > 0.2
    assert results["fatigue.bandit_ips.flagged"] == 1.0


def test_a_file_streamed_equals_memory() -> None:
    """Raises where a bit differs."""
    results = {each.name: each.value for each in scale.measure(60_000, 5_000, seed=1)}
    assert results["ope.scale.equal"] == 1.0


def test_worlds_have_the_truth_that_they_say() -> None:
    world = World.of(5)
    log = world.log(200_000, np.random.default_rng(1))
    assert log.gain.mean() == pytest.approx(world.truth, abs=5 * log.gain.std() / np.sqrt(len(log)))
    assert log.reward.mean() == pytest.approx(world.logged_truth, abs=0.006)
    for orders in (Orders(0.05, 1.0), Orders(0.05, 4.0), Orders(0.2, 20.0, poverty=10.0)):
        log = orders.log(400_000, np.random.default_rng(2))
        assert log.gain.mean() == pytest.approx(orders.truth, abs=5 * log.gain.std() / np.sqrt(len(log)))
    tiring = Fatigue()
    played = [tiring.log(2_000, np.random.default_rng(seed)).reward.mean() for seed in range(20)]
    assert np.mean(played) == pytest.approx(tiring.truth(tiring.logged), rel=0.03)


@pytest.mark.skipif(not OFFERS.exists(), reason=f"{OFFERS.name} is not beside the checkout")
def test_a_policy_learned_from_half_of_the_offers_beats_uniform_choice_on_the_other() -> None:
    report = offers.evaluated(offers.read_offers(OFFERS), seed=0)
    found = {each.name: each for each in report.estimates}
    assert found["dr"].low > 0.6 > report.mean_reward.high
    assert report.verdict.level is Level.trust, report.verdict


@pytest.mark.skipif(OPEN_BANDIT is None, reason="women.csv of the Open Bandit sample is not unpacked: make parity")
def test_the_womens_log_is_not_to_be_used() -> None:
    assert OPEN_BANDIT is not None
    report = open_bandit.report_of(OPEN_BANDIT, "women")
    assert report.verdict.level is Level.do_not_use
    assert report.diagnostics.weights.effective_sample_size == pytest.approx(2.08, abs=0.01)
    assert {reason.code for reason in report.verdict.findings} >= {"effective_sample_size", "largest_weight"}
