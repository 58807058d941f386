"""Offline evaluation, step by step: run it from the checkout, `.venv/bin/python docs/examples/offline_evaluation.py`.

Each step is a function that prints what it finds; steps whose data is absent say so.
"""

# %% What is needed
from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # for benchmarks/ and tests/, which are not installed

import numpy as np  # noqa: E402

from benchmarks.evaluation import offers, open_bandit  # noqa: E402
from offline_eval import EvaluationReport, Question, estimate_values, evaluate, make_estimators  # noqa: E402
from offline_eval.logs.tables.plain import TableLayout, read_batches  # noqa: E402
from offline_eval.sequential.evaluation import evaluate_sequential  # noqa: E402
from tests.reference.worlds import Fatigue, RewardWorld  # noqa: E402

OFFERS = ROOT.parent / "shared" / "data" / "starbucks_offers" / "starbucks_offers_log.csv.gz"
OPEN_BANDIT = ROOT / "build" / "parity" / "lib"


def show(report: EvaluationReport) -> None:
    """Print estimates and verdict."""
    for one in report.estimates:
        say(f"  {one.name:12} {one.value:8.4f}   [{one.low:.4f}, {one.high:.4f}]")
    say(f"  verdict: {report.verdict.level.text}")
    for finding in report.verdict.findings:
        say(f"    {finding.level.text}: {finding.text}")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


# %% 1. A CSV of one's own: other column names are mapped
def evaluate_csv() -> None:
    """Write a small CSV as a shop might have it, and evaluate it."""
    users = np.repeat(np.arange(1_000), 3)
    rows = RewardWorld.of(1).log(3_000, np.random.default_rng(1))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "own.csv"
        columns = (rows.reward, rows.propensity, rows.target_propensity, users)
        lines = ["clicked,p_logged,p_new,user", *(",".join(map(str, cells)) for cells in zip(*columns, strict=True))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        names = {"reward": "clicked", "propensity": "p_logged", "target_propensity": "p_new", "shopper": "user"}
        say("1. A CSV of one's own")
        show(
            evaluate(
                read_batches(path, TableLayout(needs_model=False, columns=names)),
                Question(make_estimators(["ipw", "snipw"])),
            )
        )


# %% 2. Randomised offers: learn on one half of the customers, evaluate on the other
def evaluate_offers() -> None:
    """Evaluate what our own learner makes of half the log, beside one arm for all."""
    say("2. Randomised offers")
    if not OFFERS.exists():
        say(f"  {OFFERS.name} is not beside the checkout")
        return
    train, test = offers.split_customers(offers.read_offers(OFFERS), seed=0)
    chosen = offers.learn_greedy_arms(train)(test.contexts)
    rows = offers.weigh(test, chosen)
    channels = np.array([test.space[arm].channel for arm in test.arms.tolist()])
    labelled = type(rows)(**{**{name: getattr(rows, name) for name in _COLUMNS}, "labels": {"channel": channels}})
    report = evaluate(labelled, Question(make_estimators(["ipw", "snipw", "dr"]), by=("channel",)))
    say(f"  uniform completes {test.completed.mean():.3f}; the learned policy:")
    show(report)
    for group in report.groups["channel"]:
        say(f"    by {group.label:24} {group.share_target:6.1%} of its choices")


_COLUMNS = ("reward", "propensity", "target_propensity", "q_chosen", "v_target", "shoppers")


# %% 3. Open Bandit: a log that hardly overlaps with the target
def evaluate_open_bandit() -> None:
    """Evaluate uniform choice on the women's log of a learning policy."""
    say("3. Open Bandit sample, women")
    sample = next(OPEN_BANDIT.glob("*/site-packages/obp/dataset/obd"), None)
    if sample is None:
        say("  the sample is not unpacked: make parity")
        return
    show(open_bandit.evaluate_uniform(sample, "women"))


# %% 4. A simulated log: the truth is known
def simulate_logs() -> None:
    """Compare with the truth, once where history does not matter and once where sends tire."""
    world = RewardWorld.of(2)
    say(f"4. A simulated log: the target's truth is {world.truth:.4f}")
    log = world.log(20_000, np.random.default_rng(2))
    say("  " + ", ".join(f"{name} {value:.4f}" for name, value in estimate_values(make_estimators(), log).items()))
    tiring = Fatigue()
    target, logged = tiring.truth(tiring.wanted), tiring.truth(tiring.logged)
    say(f"  where sends tire the target earns {target:.4f}, the log {logged:.4f}")
    trajectories = tiring.log(2_000, np.random.default_rng(3))
    say(f"  a bandit estimate says {float((trajectories.weight * trajectories.reward).mean()):.4f}")
    report = evaluate_sequential(trajectories, draws=50)
    for one in report.estimates:
        say(f"  {one.name:16} {one.value:.4f}   [{one.low:.4f}, {one.high:.4f}]")
    for finding in report.findings:
        say(f"    {finding.level.text}: {finding.text}")


if __name__ == "__main__":
    evaluate_csv()
    evaluate_offers()
    evaluate_open_bandit()
    simulate_logs()
