"""The commands about the family: the page of ranges, and the width over worlds whose runs were kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from simulators.experiments.contender import SENDS_A_WEEK, name_emails
from tests.benchmarks.conftest import ROOT, RunBenchmark

pytestmark = pytest.mark.xdist_group("benchmarks")

SIZE = ("--shoppers", "10", "--seeds", "1:2")
VALUES = {
    **{"planner": 3.0, "rule": 2.0, "uniform": 1.0, "no send": 0.0},
    **{"1 e-mail": 0.5, "2 e-mails": 0.7, "3 e-mails": 0.9, "5 e-mails": 0.8, "7 e-mails": 0.2},
}
CHANNELS = {"email": 2.0, "push": 1.0}


def keep(
    directory: Path,
    name: str,
    values: Mapping[str, float] = {},
    channels: Mapping[str, float] = CHANNELS,
    credited: tuple[int, int] = (10, 5),
) -> None:
    """Write the runs of a world as an earlier command would have kept them: contender → value per shopper."""
    by_contender = {**VALUES, **values}
    noise = np.linspace(-0.01, 0.01, 10)
    columns = [value + noise * (number + 1) for number, value in enumerate(by_contender.values())]
    np.savez(directory / f"{name}-12-10-1.npz", names=np.array([*by_contender]), values=np.stack(columns))
    figures = {"channels": channels, "credited": credited[0], "credited_anyway": credited[1]}
    (directory / f"{name}-12-10-1-1.json").write_text(json.dumps(figures))


def test_the_page_of_the_ranges_is_the_table() -> None:
    """`python -m benchmarks ranges --markdown docs/worlds.md` writes the page."""
    command = [sys.executable, "-m", "benchmarks", "ranges"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "worlds.md").read_text(encoding="utf-8").strip() == printed.strip()


def test_the_width_counts_what_the_worlds_differ_in(run_benchmark: RunBenchmark, tmp_path: Path) -> None:
    keep(tmp_path, "stationary")
    keep(tmp_path, "world-60", {"rule": -1.0}, credited=(0, 0))
    keep(tmp_path, "world-61", {"rule": 0.5}, channels={"email": 1.0, "push": 2.0}, credited=(10, 1))
    keep(tmp_path, "world-62", {"7 e-mails": 5.0})
    keep(tmp_path, "world-63", {name_emails(count): -1.0 for count in SENDS_A_WEEK})
    width = run_benchmark("worlds", "--worlds", "60:64", *SIZE, "--keep", str(tmp_path))
    assert width["worlds.rule_below_no_send"].value == 1
    assert width["worlds.rule_below_uniform_or_no_send"].value == 2
    assert width["worlds.other_best_channel"].value == 1
    assert width["worlds.daily_email_tires"].value == 2
    ratios = [width[f"worlds.planner_to_rule.q{share}"].value for share in (10, 90)]
    assert ratios == pytest.approx([1.5, 6.0])
    assert (width["worlds.credited_anyway.least"].value, width["worlds.credited_anyway.most"].value) == (0.1, 0.5)
