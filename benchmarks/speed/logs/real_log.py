"""A real log: the rows that a service logs for simulated shoppers."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from benchmarks.running_service import run_service
from decision_service.catalogues.file import example
from decision_service.cli.remote_shop import RemoteShop
from decision_service.database.sqlite_url import make_url
from decision_service.log.reading import read_rows
from decision_service.log.sql import SqlLog
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import Row
from simulators.experiments.simulation import Simulation
from simulators.scenarios.scenario import find_scenario
from simulators.world.messages import Messages
from simulators.world.world import World

_WEEKS = 2
_ROWS_PER_SHOPPER = 7
"""Rows that the service logs for a simulated shopper in two weeks, at least."""


class TooFewRows(RuntimeError):
    """The simulation made fewer rows than were asked for."""


def open_log(data_dir: Path) -> SqlLog:
    """Open the log in a data directory."""
    return SqlLog.open(make_url(data_dir / "decisions.sqlite"))


def record(count: int, data_dir: Path, seed: int) -> list[Row]:
    """Simulate shoppers of a real service on the example catalogue; return so many rows of its log.

    Raises
    ------
    TooFewRows
        When the simulation made fewer.
    """
    rulebook = Rulebook.of(example(), 1)
    world = World(
        find_scenario("stationary").with_weeks(_WEEKS), count // _ROWS_PER_SHOPPER, seed, Messages.of(rulebook)
    )
    with run_service("--clock", "request", data_dir=data_dir) as url, RemoteShop.connect(url) as shop:
        Simulation(shop, world, rulebook, f"log-{seed}").run()
    log = open_log(data_dir)
    try:
        rows = [stored.row for stored in islice(read_rows(log), count)]
    finally:
        log.close()
    if len(rows) < count:
        raise TooFewRows(f"the simulation made {len(rows):,} rows and not {count:,}")
    return rows
