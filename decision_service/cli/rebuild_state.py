"""``decision-service rebuild-state``: rebuild the shoppers' states in Redis from the log, or verify them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import typer

from decision_service.cli.messages import print_error
from decision_service.database.sqlite_url import find_file
from decision_service.errors import Unavailable
from decision_service.log.base import LogCorrupt, LogUnavailable
from decision_service.projection.rebuild import NoLog, StateRebuild
from decision_service.runtime.data_directory import DataDirectory
from decision_service.runtime.embedded_redis import EmbeddedRedis
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.runtime.snapshots.snapshot_file import SnapshotFile
from decision_service.settings import Settings, SettingsRefused
from decision_service.state.base import StateUnavailable

_FAILED, _REFUSED = 1, 2
_NAMED_DIFFERENCES = 20
"""The number of differences that are printed one by one."""

_NO_EMBEDDED_REDIS = (
    "no service runs on {path}, and with it no embedded Redis. Give --redis-url for a Redis of your own"
)


def run(options: Mapping[str, str | None], *, verify: bool) -> int:
    """Rebuild the states, or verify them, and return the exit code.

    The code is 1 when states differ or when the log or Redis is unavailable, and 2 when an option cannot be used.
    """
    try:
        settings = _with_redis(Settings.load(options), verify=verify)
        return 0 if settings is None else asyncio.run(_run(settings, verify=verify))
    except SettingsRefused as refusal:
        print_error(str(refusal))
        return _REFUSED
    except NoLog as error:
        print_error(f"--database-url: {error}")
        return _REFUSED
    except (StateUnavailable, LogUnavailable, Unavailable) as error:
        print_error(_describe(error))
        return _FAILED


def _with_redis(settings: Settings, *, verify: bool) -> Settings | None:
    """Return settings with the URL of a Redis, or None when there is nothing to rebuild.

    Raises
    ------
    SettingsRefused
        When there is no log, or no Redis to verify.
    """
    file = find_file(settings.database_url)
    if file is not None and not file.is_file():  # opening the log would make an empty file
        raise SettingsRefused(f"--database-url: there is no log at {file}")
    if settings.redis_url is not None:
        return settings
    data = DataDirectory(settings.data_dir)
    service = data.last_run()
    if service is not None and data.is_in_use:
        redis = EmbeddedRedis(RuntimeDirectory(Path(service.runtime)).redis_socket, data.redis_log, data.redis)
        if not redis.has_socket:
            raise SettingsRefused("--redis-url: the service that runs uses a Redis of yours; give its URL here too")
        typer.echo(f"The embedded Redis of the service at {service.url}:")
        return settings.model_copy(update={"redis_url": redis.url})
    if verify:
        raise SettingsRefused(f"--redis-url: {_NO_EMBEDDED_REDIS.format(path=data.path)}")
    _delete_snapshot(data)
    return None


def _delete_snapshot(data: DataDirectory) -> None:
    """Let the next start of the service fold the whole log, because its embedded Redis does not run now.

    Raises
    ------
    SettingsRefused
        When a service is just being started.
    """
    lock = data.lock()
    if lock is None:
        raise SettingsRefused(f"--data-dir: a service starts on {data.path}: try again when it is ready")
    existed = SnapshotFile(data.redis).delete()
    lock.release()
    typer.echo(
        ("Deleted the snapshot of the embedded Redis" if existed else "There is no snapshot of an embedded Redis")
        + f" in {data.path}: the next start folds every state from the log"
    )


async def _run(settings: Settings, *, verify: bool) -> int:
    async with StateRebuild.of(settings) as rebuild:
        if verify:
            return await _verify(rebuild)
        position = await rebuild.restore()
        known = {key async for key in rebuild.store.shoppers()}
        typer.echo(f"Rebuilt the states of {len(known)} shoppers from the log up to position {position}")
        return 0


async def _verify(rebuild: StateRebuild) -> int:
    verified = await rebuild.verification.run()
    for difference in verified.differences[:_NAMED_DIFFERENCES]:
        print_error(difference)
    if len(verified.differences) > _NAMED_DIFFERENCES:
        print_error(f"and {len(verified.differences) - _NAMED_DIFFERENCES} more differences")
    compared = f"{verified.shoppers} shoppers compared up to log position {verified.position}"
    typer.echo(f"{compared}: {len(verified.differences) or 'no'} differences")
    return _FAILED if verified.differences else 0


def _describe(error: Exception) -> str:
    """Return the unavailable part in our words, because the driver's text may contain a URL with its password."""
    if isinstance(error, StateUnavailable):
        return f"--redis-url: this Redis cannot be used: {error}"
    if isinstance(error, LogCorrupt):
        return "--database-url: the log is damaged, or of another version of this service"
    return "--database-url: the log cannot be read or written now; try again"
