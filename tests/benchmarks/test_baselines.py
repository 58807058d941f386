"""The scores of the baselines: a small run has every contender in every scenario."""

from __future__ import annotations

from benchmarks.baselines import measure, to_table


def test_every_baseline_has_its_scores_in_every_scenario() -> None:
    results = measure(["drift", "channel_outage"], shoppers=5, weeks=8, seeds=1, report=lambda _: None)
    values = {one.name: one.value for one in results}
    for scenario in ("drift", "channel_outage"):
        assert values[f"baselines.{scenario}.no_send.value"] == 0.0
        assert {f"baselines.{scenario}.{name}.value" for name in ("rule", "uniform", "3_per_week")} <= values.keys()
        assert f"baselines.{scenario}.uniform.value_minus_rule" in values
    assert to_table(results).count("| `drift` |") == to_table(results).count("| `channel_outage` |") >= 5
