"""Logs of any length: the rows of a real service, each once or many times under other names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks.running_service import run_service
from decision_service.catalogues.file import example
from decision_service.cli.remote_shop import RemoteShop
from decision_service.database.sqlite_url import make_url
from decision_service.log.base import NewRow
from decision_service.log.keys import catalogue_key, decision_key, event_key, outcome_key
from decision_service.log.reading import read_rows
from decision_service.log.sql import SqlLog
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import SHOPPER_ROWS, CatalogueRow, DecisionRow, EventRow, FenceRow, OutcomeRow, Row
from simulators.experiments.simulation import Simulation
from simulators.scenario import find_scenario
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


def multiply(rows: Iterable[Row], times: int) -> Iterator[Row]:
    """Yield each row so many times, at the same time, with other shoppers and events; rows of no shopper once.

    >>> from policies.records.rows import ClockRow
    >>> event = EventRow(1.0, "s-1", "session", 1.0)
    >>> [getattr(row, "shopper_id", row.kind) for row in multiply([event, ClockRow(2.0)], 3)]
    ['s-1', 's-1+1', 's-1+2', 'clock']
    """
    for row in rows:
        yield row
        for number in range(1, times if isinstance(row, SHOPPER_ROWS) else 1):
            yield _rename(row, f"+{number}")


def _rename(row: Row, suffix: str) -> Row:
    fields = {name: getattr(row, name) for name in ("shopper_id", "event_id") if getattr(row, name, None)}
    return msgspec.structs.replace(row, **{name: text + suffix for name, text in fields.items()})


def new_rows(rows: Iterable[Row]) -> Iterator[NewRow]:
    """Yield rows to be appended to a new log, with the keys that the service gives them; fences are left out."""
    return (NewRow(row, _key(row)) for row in rows if not isinstance(row, FenceRow))


def _key(row: Row) -> str | None:
    match row:
        case DecisionRow():
            return decision_key(row.event_id)
        case OutcomeRow():
            return outcome_key(row)
        case EventRow():
            return event_key(row, has_date=True)
        case CatalogueRow():
            return catalogue_key(row.version)
        case _:
            return None
