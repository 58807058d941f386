"""The command about incrementality, in one small world."""

from __future__ import annotations

from tests.benchmarks.conftest import RunBenchmark


def test_the_estimate_stands_beside_the_truth(run_benchmark: RunBenchmark) -> None:
    options = ("--worlds", "61", "--shoppers", "200", "--parts", "2", "--weeks", "8", "--hold-share", "0.1")
    results = run_benchmark("incrementality", *options)
    one = {name.removeprefix("incrementality.world_61."): result for name, result in results.items()}
    assert one["true_share"].value == one["caused_orders"].value / one["credited_orders"].value
    assert one["caused_orders"].value <= one["credited_orders"].value <= one["sends"].value
    assert one["holds_truth"].value == float(
        (one["share"].low or 0.0) <= one["true_share"].value <= (one["share"].high or 0.0)
    )
    assert 0 < one["holds"].value < one["sends"].value
