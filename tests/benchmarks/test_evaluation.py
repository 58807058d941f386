"""Small runs of the commands that measure offline evaluation: their results have names and are plausible."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from offline_eval.diagnostics.verdict import Level
from tests.benchmarks.conftest import ROOT, RunBenchmark

pytestmark = pytest.mark.xdist_group("benchmarks")  # the tests share what takes seconds to make

OFFERS = ROOT.parent / "shared" / "data" / "starbucks_offers" / "starbucks_offers_log.csv.gz"
OPEN_BANDIT = next((ROOT / "build" / "parity" / "lib").glob("*/site-packages/obp/dataset/obd"), None)


def test_coverage_names_its_results(run_benchmark: RunBenchmark) -> None:
    results = run_benchmark("coverage", "--repetitions", "20")
    assert results["coverage.normal.effective_sample_size"].value >= 1_000
    assert {"coverage.normal.snipw", "coverage.clustered.dr", "coverage.sequence.dr.ever_missed"} <= results.keys()
    assert {"coverage.trusted.heaviest_12_of_3612", "coverage.not_trusted.heaviest_6000_of_9600"} <= results.keys()
    assert "coverage.not_trusted.orders_0.01.weight_20.poverty_1.rows_5000" in results
    assert all(0 <= result.value <= 1 for name, result in results.items() if "sample_size" not in name)


def test_where_sends_tire_the_bandit_estimate_is_biased_and_flagged(run_benchmark: RunBenchmark) -> None:
    results = run_benchmark("fatigue", "--repetitions", "3")
    assert results["fatigue.bandit_ips.bias"].value > 0.2
    assert results["fatigue.bandit_ips.flagged"].value == 1.0


def test_a_streamed_file_gives_the_same_estimates_to_the_bit(run_benchmark: RunBenchmark) -> None:
    results = run_benchmark("scale", "--rows", "60000", "--shoppers", "5000")
    assert results["ope.scale.equal"].value == 1.0


@pytest.mark.skipif(not OFFERS.exists(), reason=f"{OFFERS.name} is not beside the checkout")
def test_a_policy_learned_from_half_of_the_offers_beats_uniform_choice_on_the_other(
    run_benchmark: RunBenchmark,
) -> None:
    """The offers are so many that the standard error of the uniform completion rate is below .003."""
    results = run_benchmark("offers", str(OFFERS), "--halves", "1")
    learned = results["offers.learned.dr.half_0"].low
    assert learned is not None
    assert learned > 0.6 > results["offers.uniform"].value + 0.01
    assert results["offers.verdict_trust"].value == 1.0


@pytest.mark.skipif(OPEN_BANDIT is None, reason="women.csv of the Open Bandit sample is not unpacked: make parity")
def test_the_womens_log_is_not_to_be_used(run_benchmark: RunBenchmark) -> None:
    results = run_benchmark("open-bandit", str(OPEN_BANDIT))
    verdict = results["open_bandit.women.verdict"]
    assert verdict.value == Level.do_not_use
    assert results["open_bandit.women.effective_sample_size"].value == pytest.approx(2.08, abs=0.01)
    assert "effective rows" in verdict.unit
    assert "one row has" in verdict.unit


TRIANGLE = ("triangle", "--logs", "2", "--weeks", "2", "--workers", "2", "--shoppers", "60", "--keep")


@pytest.fixture(scope="module")
def archive(run_benchmark: RunBenchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs of a small triangle run."""
    directory = tmp_path_factory.mktemp("archive") / "logs"
    run_benchmark(*TRIANGLE, str(directory))
    return directory


def test_the_triangle_trusts_no_estimate_on_logs_of_few_rows(run_benchmark: RunBenchmark, archive: Path) -> None:
    results = run_benchmark(*TRIANGLE, str(archive))
    assert results["triangle.uniform.trust"].value == 0
    assert results["triangle.thin.rule.verdict"].value > Level.trust
    assert sum(results[f"triangle.logging.{level.text.replace(' ', '_')}"].value for level in Level) == 2
    assert results["triangle.logging.truth_to_earned"].value > 0
    assert len(list(archive.iterdir())) == 3


def test_the_triangle_reads_a_log_that_is_kept_instead_of_simulating_it(
    run_benchmark: RunBenchmark, archive: Path, tmp_path: Path
) -> None:
    """Two files with one content: if both are read, the two logs are the same, and the interval has no width."""
    shutil.copytree(archive, tmp_path / "logs")
    first, second = sorted((tmp_path / "logs").glob("seed-*-floor-0.2-*"))
    shutil.copyfile(first, second)
    same = run_benchmark(*TRIANGLE, str(tmp_path / "logs"))["triangle.logging.truth_to_earned"]
    different = run_benchmark(*TRIANGLE, str(archive))["triangle.logging.truth_to_earned"]
    assert same.low == same.high == pytest.approx(same.value)
    assert different.low is not None
    assert different.low < different.value
