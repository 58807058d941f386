"""The registry in a SQL database of its own, through SQLAlchemy Core."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite, nan
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, MetaData, bindparam, delete, func, insert, select, update

from decision_service.database.engine import (
    DatabaseUnavailable,
    errors,
    find_damage,
    is_damage,
    open_engine,
    write,
)
from decision_service.database.migrations import SchemaMismatch, upgrade
from decision_service.learning.registry.base import (
    Checkpoint,
    CheckpointConflict,
    RegistryDamaged,
    RegistryUnavailable,
    Version,
)
from decision_service.learning.registry.schema import checkpoint as checkpoints
from decision_service.learning.registry.schema import has_payload, versions

_LATEST = select(func.max(versions.c.number))
_KEPT = select(versions.c.number, versions.c.at).where(has_payload).order_by(versions.c.number)
_DELETE_PAYLOAD = update(versions).where(versions.c.number == bindparam("pruned")).values(payload=None)
_HISTORY = select(versions.c.number, versions.c.facts, has_payload.label("has_payload")).order_by(
    versions.c.number.desc()
)

LATEST_KEPT = 50
"""How many of the latest versions keep their bytes."""

DAYS_KEPT = 90
"""For how many days the last version of each UTC day keeps its bytes."""

_DAY_S = 86_400.0


class Published(NamedTuple):
    """A version whose bytes are kept, and its time."""

    number: int
    at: float


def find_prunable(kept: Sequence[Published]) -> list[int]:
    """Return which of the versions still kept are to lose their bytes, in the order of their numbers.

    The kept versions are enough to decide this: the last version of a recent day never loses its bytes, so it is
    among them. Days count back from the latest version.

    >>> find_prunable([Published(number, at=0.0) for number in range(1, 53)])
    [1, 2]
    """
    last_of_day = {version.at // _DAY_S: version.number for version in kept}
    oldest = kept[-1].at - DAYS_KEPT * _DAY_S if kept else 0.0
    return [
        version.number
        for version in kept[:-LATEST_KEPT]
        if version.at <= oldest or last_of_day[version.at // _DAY_S] != version.number
    ]


class SqlRegistry:
    """The learner's checkpoint and the model versions.

    The payloads of the last `LATEST_KEPT` versions, and of the last version of each UTC day for `DAYS_KEPT` days, are
    kept; the metadata of a version is always kept. Days are days of the log's watermark, so a simulation with its own
    clock prunes in the same way.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> SqlRegistry:
        """Open the registry at a database URL and bring its schema up to date.

        Raises
        ------
        ValueError
            For a dialect that is not supported.
        RegistryUnavailable
            When the database cannot be opened, or is of another version; `RegistryDamaged` when it is damaged.
        """
        with _registry_errors():
            engine = open_engine(url, MetaData())  # the tables are the migrations' work
            upgrade(engine, "registry")
        return cls(engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def checkpoint(self) -> Checkpoint | None:
        """Return the latest checkpoint."""
        with self._reading() as connection:
            return _checkpoint(connection)

    def save(
        self,
        expected: Checkpoint | int | None,
        checkpoint: Checkpoint,
        *,
        model: bytes | None,
        metadata: Mapping[str, Any],
        after: int = 0,
    ) -> int:
        """Replace the checkpoint and publish the model in one transaction, by compare-and-swap."""
        if model is not None and not isfinite(metadata.get("at", nan)):
            raise ValueError("metadata.at is missing or not finite: this time decides which versions keep their bytes")
        with _registry_errors(), write(self._engine) as connection:
            _swap(connection, expected, checkpoint)
            number = _latest(connection)
            if model is None:
                return number
            number = max(number, after) + 1
            _publish(connection, number, checkpoint.position, model, metadata)
            return number

    def forget_checkpoint(self) -> None:
        """Forget the checkpoint: learning begins again with the first row of the log. The versions stay."""
        with _registry_errors(), write(self._engine) as connection:
            connection.execute(delete(checkpoints))

    def find_damage(self, within_s: float) -> str | None:
        """Return what is damaged in the database, None for nothing that was found within this time."""
        with _registry_errors():
            return find_damage(self._engine, within_s)

    def latest(self) -> int:
        """Return the number of the latest version, 0 for none."""
        with self._reading() as connection:
            return _latest(connection)

    def load(self, number: int) -> Version:
        """Return a version."""
        query = select(versions.c.payload, versions.c.facts).where(versions.c.number == number)
        with self._reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise KeyError(f"there is no model version {number}")
        return Version(number, row.payload, json.loads(row.facts), has_payload=row.payload is not None)

    def history(self, limit: int) -> list[Version]:
        """Return the latest versions without their payloads, the latest first."""
        with self._reading() as connection:
            rows = connection.execute(_HISTORY.limit(limit)).all()
        return [Version(row.number, None, json.loads(row.facts), has_payload=bool(row.has_payload)) for row in rows]

    def first_containing(self, position: int) -> int | None:
        """Return the number of the first version that has learned from all rows up to this position, None for none."""
        query = select(versions.c.number).where(versions.c.position >= position)
        with self._reading() as connection:
            return connection.execute(query.order_by(versions.c.position, versions.c.number).limit(1)).scalar()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _registry_errors(), self._engine.connect() as connection:
            yield connection


def _checkpoint(connection: Connection) -> Checkpoint | None:
    row = connection.execute(select(checkpoints.c.position, checkpoints.c.payload)).first()
    return None if row is None else Checkpoint(*row)


def _swap(connection: Connection, expected: Checkpoint | int | None, new: Checkpoint) -> None:
    stored = _checkpoint(connection)
    position = None if stored is None else stored.position
    if position != (expected.position if isinstance(expected, Checkpoint) else expected):
        raise CheckpointConflict(f"the checkpoint is at {position}, not where this learner left it")
    if isinstance(expected, Checkpoint) and stored != expected:
        raise CheckpointConflict(f"the checkpoint at {position} has other bytes: another learner wrote it")
    connection.execute(delete(checkpoints))
    connection.execute(insert(checkpoints).values(position=new.position, payload=new.payload))


def _latest(connection: Connection) -> int:
    return int(connection.execute(_LATEST).scalar() or 0)


def _publish(connection: Connection, number: int, position: int, model: bytes, metadata: Mapping[str, Any]) -> None:
    connection.execute(
        insert(versions).values(
            number=number,
            position=position,
            at=metadata["at"],
            facts=json.dumps(dict(metadata)),
            payload=model,
        )
    )
    pruned = find_prunable([Published(*row) for row in connection.execute(_KEPT)])
    if pruned:
        connection.execute(_DELETE_PAYLOAD, [{"pruned": number} for number in pruned])


@contextmanager
def _registry_errors() -> Iterator[None]:
    try:
        with errors():
            yield
    except SchemaMismatch as error:
        raise RegistryUnavailable(str(error)) from error
    except DatabaseUnavailable as error:
        raise (RegistryDamaged if is_damage(error) else RegistryUnavailable)(str(error)) from error
