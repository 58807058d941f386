"""The figures of one world, and the files that keep them, so that an interrupted run continues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.worlds.broadcasts import SWEEP, Broadcasts, measure_broadcasts
from benchmarks.worlds.contenders import PLANNER, Earnings, measure_earnings
from simulators.arrays import FloatArray
from simulators.experiments.mean_estimate import MeanEstimate, estimate_paired_mean
from simulators.scenario import Scenario


@dataclass(frozen=True)
class Plan:
    """How each world is measured: its length, the shoppers of the policies and of the broadcasts, the seed of both."""

    weeks: int
    shoppers: int
    broadcast_shoppers: int
    seed: int


@dataclass(frozen=True)
class WorldFigures:
    """The figures of one world. Values are expected incremental margins per shopper over the run.

    Attributes
    ----------
    planner, rule, uniform
        Values of the three policies.
    planner_minus_rule, rule_minus_uniform, best_minus_daily
        Paired differences over the shoppers; the last: the best number of e-mails a week against one a day.
    channels, sweep
        Values of each channel alone, and of e-mails by their number a week.
    credited, credited_anyway
        Orders credited to the rule's sends, and those of them that no message caused.
    """

    name: str
    planner: float
    rule: float
    uniform: float
    planner_minus_rule: MeanEstimate
    rule_minus_uniform: MeanEstimate
    channels: Mapping[str, float]
    sweep: Mapping[str, float]
    best_minus_daily: MeanEstimate
    credited: int
    credited_anyway: int

    @classmethod
    def of(cls, name: str, earnings: Earnings, broadcasts: Broadcasts) -> WorldFigures:
        earned, daily = earnings.by_contender, broadcasts.by_number[SWEEP[-1]]
        return cls(
            name=name,
            planner=_mean(earned[PLANNER]),
            rule=_mean(earned["rule"]),
            uniform=_mean(earned["uniform"]),
            planner_minus_rule=estimate_paired_mean([earned[PLANNER] - earned["rule"]]),
            rule_minus_uniform=estimate_paired_mean([earned["rule"] - earned["uniform"]]),
            channels={channel: _mean(values) for channel, values in broadcasts.by_channel.items()},
            sweep={str(number): _mean(values) for number, values in broadcasts.by_number.items()},
            best_minus_daily=estimate_paired_mean([broadcasts.by_number[broadcasts.best_number] - daily]),
            credited=earnings.credited,
            credited_anyway=earnings.credited_anyway,
        )

    @property
    def best_channel(self) -> str:
        """The channel that earns most alone."""
        return max(self.channels, key=lambda channel: self.channels[channel])

    @property
    def best_number(self) -> int:
        """The number of e-mails a week that earns most."""
        return int(max(self.sweep, key=lambda number: self.sweep[number]))

    @property
    def planner_to_rule(self) -> float | None:
        """Planner ÷ rule; None where the rule earns no more than no send."""
        return self.planner / self.rule if self.rule > 0 else None

    @property
    def anyway(self) -> float | None:
        """The share of credited orders that would have come anyway; None without a credited order."""
        return self.credited_anyway / self.credited if self.credited else None

    @property
    def rule_is_below(self) -> bool:
        """Whether the rule earns less than uniform choice or than no send."""
        return self.rule < max(self.uniform, 0.0)

    @property
    def tires(self) -> bool:
        """Whether the best number of e-mails is neither 0 nor daily, and beats daily e-mails by its interval."""
        return self.best_number not in (0, SWEEP[-1]) and self.best_minus_daily.low > 0


def _mean(values: FloatArray) -> float:
    return float(np.mean(values))


@dataclass(frozen=True)
class Archive:
    """A directory with one file for each world. Delete the files when policies or simulators change."""

    directory: Path

    def read_or_measure(self, scenario: Scenario, plan: Plan) -> WorldFigures:
        """Return the figures of a world; measure the world if no file has figures of the same plan."""
        path = self.directory / f"{scenario.name}.json"
        if path.exists():
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["plan"] == asdict(plan):
                return _read(document["figures"])
        scenario = scenario.with_weeks(plan.weeks)
        earnings = measure_earnings(scenario, plan.shoppers, plan.seed)
        broadcasts = measure_broadcasts(scenario, plan.broadcast_shoppers, plan.seed)
        figures = WorldFigures.of(scenario.name, earnings, broadcasts)
        self._write(path, {"plan": asdict(plan), "figures": asdict(figures)})
        return figures

    def _write(self, path: Path, document: Mapping[str, object]) -> None:
        """Write a file completely or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(document, indent=1), encoding="utf-8")
        part.rename(path)


def _read(fields: dict[str, object]) -> WorldFigures:
    differences = ("planner_minus_rule", "rule_minus_uniform", "best_minus_daily")
    estimates = {name: MeanEstimate(**fields[name]) for name in differences}  # type: ignore[arg-type]
    return WorldFigures(**(fields | estimates))  # type: ignore[arg-type]
