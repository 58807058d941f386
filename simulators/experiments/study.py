"""A study: several contenders run in the same worlds, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.contender import Contender
from simulators.experiments.incremental_value import IncrementalValue
from simulators.experiments.result import Result
from simulators.experiments.weekly_values import WeeklyValues, reach_of
from simulators.scenarios.scenario import Scenario
from simulators.senders.sender import NoSends, run_sender
from simulators.shops.later_costs import ConsentWorth
from simulators.world.messages import Messages
from simulators.world.world import World


@dataclass(frozen=True)
class Study:
    """The worlds in which all contenders run, one per seed. `compare` runs the contenders in them.

    Attributes
    ----------
    worth
        What a live consent is worth after the run, by channel; nothing by default.

    Raises
    ------
    ValueError
        When a field has an impossible value; the message names the field.
    """

    scenario: Scenario
    shoppers: int
    seeds: Sequence[int]
    rulebook: Rulebook
    worth: ConsentWorth = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.shoppers < 1:
            raise ValueError(f"shoppers must be at least 1, not {self.shoppers}")
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds must be one or more different numbers, 0 or higher")
        Messages.of(self.rulebook)  # raises for channels that the world does not know

    def world(self, seed: int) -> World:
        """Return a new world of a seed."""
        return World(self.scenario, self.shoppers, seed, Messages.of(self.rulebook))

    def compare(self, contenders: Sequence[Contender], on_hours: Callable[[str, int], None]) -> list[Result]:
        """Run all contenders with all seeds; ``on_hours`` is called with a contender's name and the hours passed."""
        results: list[Result] = []
        for seed in self.seeds:
            twin = self.world(seed)  # the same world without any send, to subtract
            without = WeeklyValues(twin, self.worth, lambda _: None)
            run_sender(twin, NoSends(), on_tick=without.pass_tick)
            for contender in contenders:
                world = self.world(seed)
                weeks = WeeklyValues(world, self.worth, partial(on_hours, contender.name))
                counts = contender.play(world, seed, weeks.pass_hours)
                value = IncrementalValue.of(world, twin)
                results.append(
                    Result(
                        contender=contender.name,
                        seed=seed,
                        by_shopper=weeks.by_shopper() - without.by_shopper(),
                        realised=float(value.realised.mean()),
                        reach=reach_of(world),
                        counts=counts,
                    )
                )
        return results
