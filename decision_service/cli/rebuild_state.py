"""``decision-service rebuild-state``: the shoppers' states in Redis, made anew from the log or held against it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import typer

from decision_service.errors import Unavailable
from decision_service.log.base import LogCorrupt, LogUnavailable
from decision_service.projection.rebuild import NoLog, StateRebuild
from decision_service.runtime.data_directory import DataDirectory
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.settings import Settings, SettingsRefused
from decision_service.state.base import StateUnavailable

_FAILED, _REFUSED = 1, 2
_NAMED = 20
"""Differences that are named one by one."""

_EMPTY = (
    "no service runs on {path}, so its embedded Redis holds nothing: the next start rebuilds every state from the "
    "log by itself. Give --redis-url for a Redis of your own"
)


def run(options: Mapping[str, str | None], *, verify: bool) -> int:
    """Rebuild the states, or verify them; return the exit code: 1 where states differ or a part is away."""
    try:
        settings = _reachable(Settings.load(options), verify=verify)
        return 0 if settings is None else asyncio.run(_run(settings, verify=verify))
    except SettingsRefused as refusal:
        _complain(str(refusal))
        return _REFUSED
    except NoLog as error:
        _complain(f"--database-url: {error}")
        return _REFUSED
    except (StateUnavailable, LogUnavailable, Unavailable) as error:
        _complain(_reason(error))
        return _FAILED


def _reachable(settings: Settings, *, verify: bool) -> Settings | None:
    """Give settings with the URL of a Redis; None where there is nothing to rebuild.

    Raises
    ------
    SettingsRefused
        When there is no log, or no Redis to verify.
    """
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).is_file():  # opening it would make an empty one
        raise SettingsRefused(f"--database-url: there is no log at {file}")
    if settings.redis_url is not None:
        return settings
    data = DataDirectory(settings.data_dir)
    service = data.last_run()
    if service is not None and service.is_alive():
        socket = RuntimeDirectory(Path(service.runtime)).redis_socket
        if not socket.exists():
            raise SettingsRefused("--redis-url: the service that runs uses a Redis of yours; give its URL here too")
        typer.echo(f"The embedded Redis of the service at {service.url}:")
        return settings.model_copy(update={"redis_url": f"unix://{socket}"})
    if verify:
        raise SettingsRefused(f"--redis-url: {_EMPTY.format(path=data.path)}")
    typer.echo(f"Nothing to rebuild: {_EMPTY.format(path=data.path)}.")
    return None


async def _run(settings: Settings, *, verify: bool) -> int:
    async with StateRebuild.of(settings) as rebuilding:
        if verify:
            return await _verify(rebuilding)
        position = await rebuilding.restore()
        known = {key async for key in rebuilding.store.shoppers()}
        typer.echo(f"Rebuilt the states of {len(known)} shoppers from the log up to position {position}")
        return 0


async def _verify(rebuilding: StateRebuild) -> int:
    verified = await rebuilding.verification.run()
    for difference in verified.differences[:_NAMED]:
        _complain(difference)
    if len(verified.differences) > _NAMED:
        _complain(f"and {len(verified.differences) - _NAMED} more differences")
    told = f"{verified.shoppers} shoppers compared up to log position {verified.position}"
    typer.echo(f"{told}: {len(verified.differences) or 'no'} differences")
    return _FAILED if verified.differences else 0


def _reason(error: Exception) -> str:
    """Say what is away in words of ours: the driver's may hold an address with its password."""
    if isinstance(error, StateUnavailable):
        return "--redis-url: the Redis cannot be reached or may evict states (maxmemory-policy must be noeviction)"
    if isinstance(error, LogCorrupt):
        return "--database-url: the log is damaged, or of another version of this service"
    return "--database-url: the log cannot be read or written now; try again"


def _complain(text: str) -> None:
    for line in text.splitlines():
        typer.echo(f"decision-service: {line}", err=True)
