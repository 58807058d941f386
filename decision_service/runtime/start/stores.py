"""The log, the registry and Redis before Ray starts: usable, or refused in one sentence with the option and the remedy.

What can be made anew from the log keeps no service down: a damaged registry is set aside, and a state store or a
checkpoint that contains rows which the log has lost is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf
from pathlib import Path
from urllib.parse import unquote, urlsplit

from decision_service.app import open_log, open_registry
from decision_service.database.sqlite_url import find_file
from decision_service.learning.registry.base import RegistryDamaged, RegistryUnavailable
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.log.base import LogCorrupt, LogUnavailable
from decision_service.log.facts import Facts, SettingsConflict, agree_on_facts
from decision_service.log.sql import SqlLog
from decision_service.projection.same_log import find_contradiction
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.runtime.errors import StartRefused
from decision_service.settings import Settings
from decision_service.state.base import StateUnavailable
from decision_service.state.redis import RedisStateStore
from policies.shopper.fold import horizon_of

_LOOKS_FOR_DAMAGE_S = 1.0
"""SQLite reads some 500 MiB a second. A larger log is looked at from its beginning as far as this time permits."""

_ANSWERS_WITHIN_S = 20.0
"""Redis may take so long to forget all states at once; a decision would not wait as long."""

_SQLITE_SUFFIXES = ("", "-wal", "-shm")

_logger = logging.getLogger(__name__)

Say = Callable[[str], None]


def check_stores(settings: Settings, say: Say, redis: EmbeddedRedis | None = None) -> None:
    """Check all that is stored, and make anew what the log no longer agrees with.

    Parameters
    ----------
    settings
        Settings in which ``redis_url`` is set.
    say
        Shows a line to the person who started the service.
    redis
        The Redis that ``redis_url`` names, where it belongs to the service alone.

    Raises
    ------
    StartRefused
        When the service could not run on the log or on Redis.
    """
    log = _open_log(settings)
    try:
        facts = _agree_on_facts(log, settings)
        registry = _open_registry(settings, log, say)
        try:
            asyncio.run(_check_redis(settings, log, registry, facts, say, redis))
        finally:
            registry.close()
    finally:
        log.close()


def check_log(settings: Settings, within_s: float = inf) -> None:
    """Look through the log for damage, as far as the time permits.

    Raises
    ------
    StartRefused
        When the log is damaged.
    """
    log = _open_log(settings, within_s=within_s)
    log.close()


def _open_log(settings: Settings, within_s: float = _LOOKS_FOR_DAMAGE_S) -> SqlLog:
    file = find_file(settings.database_url)
    _refuse_misplaced_log(file)
    try:
        log = open_log(settings)
        if (damage := log.find_damage(within_s)) is not None:
            log.close()
            raise LogCorrupt(damage)
        return log
    except LogCorrupt as error:
        cure = f"restore a backup, or save what can be read with: sqlite3 {file} .recover"
        raise StartRefused(f"--database-url: the log {file} cannot be used ({_one_line(error)}): {cure}") from error
    except LogUnavailable as error:
        cure = "make its directory and files writable for this user, and see whether the disk is full"
        raise StartRefused(f"--database-url: the log {file} cannot be opened ({_one_line(error)}): {cure}") from error


def _refuse_misplaced_log(file: Path | None) -> None:
    """Refuse to begin a new log where an earlier version kept the log elsewhere: that version decoded paths as URLs."""
    if file is None or file.exists():
        return
    misplaced = Path(unquote(str(file)).partition("?")[0])
    if misplaced != file and misplaced.is_file():
        raise StartRefused(
            f"--database-url: an earlier version kept this log at {misplaced}; move it, with its -wal file, to {file}"
        )


def _agree_on_facts(log: SqlLog, settings: Settings) -> Facts:
    try:
        return agree_on_facts(log, settings.clock, settings.seed)
    except SettingsConflict as conflict:
        raise StartRefused(str(conflict)) from conflict
    except LogUnavailable as error:
        file = find_file(settings.database_url)
        raise StartRefused(f"--database-url: the log {file} cannot be written: {_one_line(error)}") from error


def _open_registry(settings: Settings, log: SqlLog, say: Say) -> SqlRegistry:
    """Open the registry. A damaged one is set aside, and a missing one is made anew."""
    file = settings.data_dir / "models.sqlite"
    was_there = file.exists()
    try:
        registry = _open_whole_registry(settings)
    except RegistryDamaged as damage:
        kept = _set_aside(file)
        _warn(say, f"The registry of models is damaged ({_one_line(damage)}) and was moved to {kept}: {_LEARN_ANEW}")
        return open_registry(settings)
    except RegistryUnavailable as error:
        raise StartRefused(f"--data-dir: {file} cannot be used: {_one_line(error)}") from error
    if not was_there and log.head().position > 0:
        _warn(say, f"There is no registry of models at {file}: {_LEARN_ANEW}")
    return registry


_LEARN_ANEW = "the models are learned again from the log, and decisions begin with the prior"


def _open_whole_registry(settings: Settings) -> SqlRegistry:
    registry = open_registry(settings)
    if (damage := registry.find_damage(_LOOKS_FOR_DAMAGE_S)) is not None:
        registry.close()
        raise RegistryDamaged(damage)
    return registry


def _set_aside(file: Path) -> Path:
    """Rename the files of a damaged database, in the place of those that were damaged before."""
    kept = file.with_name(f"{file.stem}.damaged{file.suffix}")
    for suffix in _SQLITE_SUFFIXES:
        kept.with_name(kept.name + suffix).unlink(missing_ok=True)
        if (part := file.with_name(file.name + suffix)).exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


async def _check_redis(
    settings: Settings, log: SqlLog, registry: SqlRegistry, facts: Facts, say: Say, redis: EmbeddedRedis | None
) -> None:
    store = _connect(settings, facts)
    try:
        await _prepare(store)
        if redis is not None and not horizon_of(await store.stored_fold_version()):
            redis.clear()  # a snapshot of another log or of another version of the fold, or nothing
        await _check_ends(store, log, registry, say, redis)
    except StateUnavailable as error:
        raise StartRefused(f"--redis-url: the Redis at {_address(settings)} cannot be used: {error}") from error
    finally:
        await store.close()


async def _check_ends(
    store: RedisStateStore, log: SqlLog, registry: SqlRegistry, say: Say, redis: EmbeddedRedis | None
) -> None:
    """Compare the end of the log with all that has seen rows of the log, and forget what has seen other rows."""
    end, states = log.head().position, await store.contained_log()
    checkpoint = registry.checkpoint()
    learned = 0 if checkpoint is None else checkpoint.position
    committed = max(log.committed_position(), states.position, learned)
    if committed > end:
        _warn(say, _describe_loss(committed - end, end))
    if (contradiction := find_contradiction(states, log)) is not None:
        if states.position <= end:
            _warn(say, f"The states in Redis contain {contradiction}: they are made anew from the log")
        if redis is None:
            await store.begin(await store.stored_incarnation(), anew=True)
        else:
            redis.clear()
    if learned > end:
        registry.forget_checkpoint()
    log.accept_end()


async def _prepare(store: RedisStateStore) -> None:
    try:
        await store.prepare()
    except TypeError as error:  # the driver finds an option that it does not know when it connects
        raise StartRefused(f"--redis-url: an option of the URL cannot be used: {_one_line(error)}") from error


def _describe_loss(missing: int, end: int) -> str:
    rows = "1 row is" if missing == 1 else f"{missing} rows are"
    return (
        f"The log has lost its end: {rows} missing after position {end}, because its -wal file was damaged or removed, "
        "or an older copy of the log was put in its place. States and models that contain these rows are made anew"
    )


def _connect(settings: Settings, facts: Facts) -> RedisStateStore:
    try:
        return RedisStateStore(settings.redis_url or "", facts.log_id, _ANSWERS_WITHIN_S)
    except ValueError as error:  # an option that the URL has behind its question mark
        raise StartRefused(f"--redis-url: an option of the URL cannot be used: {_one_line(error)}") from error


def _address(settings: Settings) -> str:
    """Return the address in the URL, without user and password."""
    parts = urlsplit(settings.redis_url or "")
    return unquote(parts.path) if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]


def _warn(say: Say, text: str) -> None:
    _logger.warning("%s", text)
    say(text)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
