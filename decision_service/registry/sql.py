"""The registry in a SQL database of its own, through SQLAlchemy Core."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from decision_service.database import DatabaseUnavailable, errors, open_engine, write
from decision_service.registry.base import Checkpoint, CheckpointConflict, RegistryUnavailable, Version

_KEPT = 50
_DAILY_KEPT_S = 90 * 86_400.0

_metadata = MetaData()
_checkpoint = Table(
    "checkpoint",
    _metadata,
    Column("position", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
_versions = Table(
    "versions",
    _metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("facts", String, nullable=False),
    Column("payload", LargeBinary),
)


class SqlRegistry:
    """The learner's checkpoint and the model versions.

    The payloads of the last 50 versions and of the last one of each UTC day for 90 days are kept, the
    facts about every version always. Days are those of the log's watermark, so a simulation prunes alike.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> SqlRegistry:
        """Open the registry at a database URL."""
        with _registry_errors():
            return cls(open_engine(url, _metadata))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def checkpoint(self) -> Checkpoint | None:
        """Give the latest checkpoint."""
        with self._reading() as connection:
            found = connection.execute(select(_checkpoint.c.position, _checkpoint.c.payload)).first()
        return None if found is None else Checkpoint(*found)

    def save(
        self,
        expected: int | None,
        checkpoint: Checkpoint,
        *,
        version: bytes | None,
        facts: Mapping[str, Any],
    ) -> int:
        """Replace the checkpoint and publish a version in one transaction, by compare-and-swap."""
        with _registry_errors(), write(self._engine) as connection:
            position = connection.execute(select(_checkpoint.c.position)).scalar()
            if position != expected:
                raise CheckpointConflict(f"the checkpoint is at {position}, not at {expected}")
            connection.execute(delete(_checkpoint))
            connection.execute(insert(_checkpoint).values(position=checkpoint.position, payload=checkpoint.payload))
            number = _latest(connection)
            if version is not None:
                number += 1
                connection.execute(
                    insert(_versions).values(
                        number=number,
                        position=checkpoint.position,
                        at=facts["at"],
                        facts=json.dumps(dict(facts)),
                        payload=version,
                    )
                )
                _prune(connection, facts["at"])
            return number

    def latest(self) -> int:
        """Give the number of the latest version, 0 for none."""
        with self._reading() as connection:
            return _latest(connection)

    def load(self, number: int) -> Version:
        """Give a version."""
        query = select(_versions.c.payload, _versions.c.facts).where(_versions.c.number == number)
        with self._reading() as connection:
            found = connection.execute(query).first()
        if found is None:
            raise KeyError(f"there is no model version {number}")
        return Version(number, found.payload, json.loads(found.facts))

    def first_containing(self, position: int) -> int | None:
        """Give the first version made from the log up to this position or beyond."""
        query = select(func.min(_versions.c.number)).where(_versions.c.position >= position)
        with self._reading() as connection:
            return connection.execute(query).scalar()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _registry_errors(), self._engine.connect() as connection:
            yield connection


def _latest(connection: Connection) -> int:
    return int(connection.execute(select(func.max(_versions.c.number))).scalar() or 0)


def _prune(connection: Connection, at: float) -> None:
    """Forget payloads that are neither among the latest nor the last of a recent day."""
    day = func.floor(_versions.c.at / 86_400.0)
    recent = _versions.c.at > at - _DAILY_KEPT_S
    last_of_days = select(func.max(_versions.c.number)).where(recent).group_by(day)
    connection.execute(
        update(_versions)
        .where(_versions.c.payload.is_not(None))
        .where(_versions.c.number <= _latest(connection) - _KEPT)
        .where(_versions.c.number.not_in(last_of_days))
        .values(payload=None)
    )


@contextmanager
def _registry_errors() -> Iterator[None]:
    try:
        with errors():
            yield
    except DatabaseUnavailable as error:
        raise RegistryUnavailable(str(error)) from error
