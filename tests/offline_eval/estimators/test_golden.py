"""The values and intervals of the Open Bandit Pipeline 0.5.7 on its own synthetic data, to 1e-9."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_eval import (
    DM,
    DR,
    DROS,
    IPW,
    SNDR,
    SNIPW,
    Estimator,
    LoggedBatch,
    SwitchDR,
    Totals,
    cut_blocks,
    dense_blocks,
    estimate_values,
)
from offline_eval.intervals import ObpBootstrap

DIRECTORY = Path(__file__).parents[4] / "shared" / "data" / "ope_golden"

pytestmark = pytest.mark.skipif(
    not (DIRECTORY / "golden_1k.npz").exists(), reason="golden_1k.npz is not beside the checkout"
)

CASES: dict[str, Estimator] = {
    **{estimator.name: estimator for estimator in (IPW(), SNIPW(), DM(), DR(), SNDR())},
    "switch-dr(5)": SwitchDR(tau=5),
    "dr-os(5)": DROS(shrinkage=5),
    "ipw(clip=10)": IPW(max_weight=10),
    "dr(clip=10)": DR(max_weight=10),
}


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    estimators: dict[str, Any] = json.loads((DIRECTORY / "golden_1k.json").read_text())["estimators"]
    return estimators


@pytest.fixture(scope="module")
def source() -> list[LoggedBatch]:
    data = np.load(DIRECTORY / "golden_1k.npz")
    # Uneven blocks on purpose.
    return list(dense_blocks(data["reward"], data["action"], data["pscore"], data["pi_e"], data["q_hat"], size=137))


@pytest.mark.parametrize("name", CASES)
def test_values_equal_the_golden_ones(name: str, golden: dict[str, Any], source: list[LoggedBatch]) -> None:
    estimator = CASES[name]
    assert estimate_values([estimator], source)[estimator.name] == pytest.approx(golden[name]["value"], rel=0, abs=1e-9)


def test_bootstrap_intervals_equal_the_golden_ones(golden: dict[str, Any], source: list[LoggedBatch]) -> None:
    interval = ObpBootstrap(draws=1_000, seed=12345)
    totals = Totals(list(CASES.values()), interval.keep(clustered=False))
    for block in cut_blocks(source):
        totals.add(block)
    intervals = interval.bounds(list(CASES.values()), totals.sample(), alpha=0.05)
    for name, bounds in zip(CASES, intervals, strict=True):
        assert list(bounds) == pytest.approx(golden[name]["ci"], rel=0, abs=1e-9), name
