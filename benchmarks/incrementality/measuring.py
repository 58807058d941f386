"""The orders that sends have brought in a simulated world: estimated from the log, and counted by the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from decision_service.catalogues.file import example
from policies.catalogue.rulebook import Rulebook
from policies.learning.incrementality.contrast import Contrast
from policies.learning.incrementality.fold import Contrasts, IncrementalityFold
from policies.models.rule import rule_policy
from policies.records.rows import CatalogueRow, DecisionRow, OutcomeRow, Row
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.experiments.simulation import Simulation
from simulators.scenarios.scenario import Scenario
from simulators.shops.local import FixedPolicy, LocalShop
from simulators.world.messages import Messages
from simulators.world.world import World


@dataclass(frozen=True)
class Size:
    """How much is simulated of a world: shoppers, in parts of their own seed, and the hold share of the rule."""

    shoppers: int
    parts: int
    hold_share: float
    first_seed: int


@dataclass(frozen=True)
class WorldLog:
    """The estimate from the log of a world, and the true number of orders that the sends have brought.

    Attributes
    ----------
    caused
        Orders that a send of the log caused, that were dated in the send's window, and that the shop knows of.
    """

    name: str
    pooled: Contrast
    caused: int

    @property
    def true_share(self) -> float:
        """The true factor: caused ÷ credited orders."""
        return self.caused / self.pooled.credited_orders

    def __add__(self, other: WorldLog) -> WorldLog:
        """Return the log of the shoppers of both."""
        return WorldLog(self.name, self.pooled + other.pooled, self.caused + other.caused)


class _Log(FixedPolicy):
    """The rule, and the folds of the rows of its log."""

    def __init__(self, rulebook: Rulebook, hold_share: float) -> None:
        super().__init__(replace(rule_policy(), hold_share=hold_share))
        self._fold = IncrementalityFold()
        self._fold.add_catalogue(CatalogueRow(0.0, rulebook.version, rulebook.catalogue.to_document()))
        self._position = 0
        self.windows: dict[str, tuple[float, float]] = {}
        self.conversions: list[OutcomeRow] = []

    def fold(self, row: Row) -> None:
        self._position += 1
        self._fold.add(self._position, row)
        if isinstance(row, DecisionRow) and row.send_at is not None and row.window_ends_at is not None:
            self.windows[row.event_id] = row.send_at, row.window_ends_at
        elif isinstance(row, OutcomeRow) and row.type == "conversion":
            self.conversions.append(row)

    def contrasts(self, now: float) -> Contrasts:
        """Return the contrasts of the windows that have ended by a time."""
        return self._fold.contrasts(now)


def measure(scenario: Scenario, size: Size, progress: Callable[[str], None]) -> WorldLog:
    """Simulate a world in parts, whose shoppers do not know each other, and return their common log."""
    parts = [_measure_part(scenario, size, part, progress) for part in range(size.parts)]
    return sum(parts[1:], start=parts[0])


def _measure_part(scenario: Scenario, size: Size, part: int, progress: Callable[[str], None]) -> WorldLog:
    rulebook, seed = Rulebook.of(example(), 1), size.first_seed + part
    log = _Log(rulebook, size.hold_share)
    world = World(scenario, size.shoppers // size.parts, seed, Messages.of(rulebook))
    simulation = Simulation(LocalShop(log, rulebook, str(seed).encode()), world, rulebook, f"{scenario.name}-{seed}")
    records = simulation.run()
    caused = _count_caused(records, log, world.now)
    progress(f"{scenario.name}: part {part + 1} of {size.parts}, {len(records):,} decisions")
    return WorldLog(scenario.name, log.contrasts(world.now).pooled, caused)


def _count_caused(records: Iterable[DecisionOutcomes], log: _Log, now: float) -> int:
    """Count the orders that sends caused, in the windows of these sends, as far as they were reported to the shop.

    An order and its report have the same shopper and value; the date is that of the first report.
    """
    reports: dict[tuple[str | None, float], float] = {}
    for row in log.conversions:
        reports.setdefault((row.shopper_id, row.value), row.occurred_at)
    causes = [
        (record.event_id, reports[record.shopper, outcome.value])
        for record in records
        for outcome in record.outcomes
        if outcome.type == "conversion" and (record.shopper, outcome.value) in reports
    ]
    windows = ((log.windows[event_id], at) for event_id, at in causes)
    return sum(begins_at <= at < ends_at <= now for (begins_at, ends_at), at in windows)
