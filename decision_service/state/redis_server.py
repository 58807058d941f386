"""The Redis server behind a URL: commands with a time-out, and whether another server answers than before."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import redis.asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from decision_service.state.base import StateUnavailable
from decision_service.state.redis_faults import describe_fault

ScriptCall = tuple[Sequence[str], Sequence[Any]]
"""The keys and the arguments of a script."""


@cache
def _sha(script: str) -> str:
    """Return the name under which Redis calls a script."""
    return hashlib.sha1(script.encode()).hexdigest()


class RedisServer:
    """Sends commands to one Redis.

    Parameters
    ----------
    url
        Where the server is; no command is sent yet. Answers are not decoded.
    timeout_s
        How long an answer may take, unless the URL says otherwise (``socket_timeout``).
    on_fault
        Called when a command fails, or when another server answers than the trusted one.
    """

    def __init__(self, url: str, timeout_s: float, on_fault: Callable[[], None]) -> None:
        self._client = redis_asyncio.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),  # the caller holds instead of repeating a trip
        )
        options = self._client.connection_pool.connection_kwargs
        options["redis_connect_func"] = self._greet
        # One time-out around a trip: the driver would start a task for every write.
        self._timeout_s: float | None = options["socket_timeout"]
        options["socket_timeout"] = None
        self._on_fault = on_fault
        self._trusted_id: str | None = None

    async def ask(self, *command: Any) -> Any:
        """Return the answer to a command.

        Raises
        ------
        StateUnavailable
            When the server cannot be reached, or refuses the command.
        """
        return await self._answer(self._client.execute_command(*command))  # type: ignore[no-untyped-call]

    async def ask_at_once(self, *commands: Sequence[Any]) -> list[Any]:
        """Return the answers to commands at one moment.

        Raises
        ------
        StateUnavailable
            As `ask`.
        """
        pipeline = self._client.pipeline(transaction=True)
        for command in commands:
            pipeline.execute_command(*command)
        return list(await self._answer(pipeline.execute()))

    async def call(self, script: str, call: ScriptCall) -> Any:
        """Return the answer of a script.

        Raises
        ------
        StateUnavailable
            As `ask`.
        """
        return await self.ask(*_evalsha(script, call))

    async def call_each(self, script: str, calls: Sequence[ScriptCall]) -> None:
        """Call a script several times in one trip.

        Raises
        ------
        StateUnavailable
            As `ask`.
        """
        if not calls:
            return
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*_evalsha(script, call))
        await self._answer(pipeline.execute())

    async def id(self) -> str:
        """Return the name of the running server: it has another one after a restart.

        Raises
        ------
        StateUnavailable
            As `ask`.
        """
        return str((await self.ask("INFO", "server"))["run_id"])

    async def trust(self) -> None:
        """Trust the server that runs now.

        Raises
        ------
        StateUnavailable
            As `ask`.
        """
        self._trusted_id = await self.id()

    def distrust(self) -> None:
        """Trust no server."""
        self._trusted_id = None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _answer(self, answer: Awaitable[Any]) -> Any:
        """Return an answer, and map every error of the driver to `StateUnavailable`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await answer
        except (TimeoutError, RedisError, OSError) as error:
            self._on_fault()
            # The driver's own text appears in the service's log only.
            raise StateUnavailable(describe_fault(error)) from _without_command(error)

    async def _greet(self, connection: Any) -> None:
        """Check on every new connection that the server is still the trusted one.

        A restarted server may come back with an old snapshot under the same incarnation. Its ``run_id`` shows that,
        and every client has to connect anew after a restart.
        """
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        lines = bytes(await connection.read_response()).decode().splitlines()
        run_id = next(line.partition(":")[2] for line in lines if line.startswith("run_id:"))
        if self._trusted_id is not None and run_id != self._trusted_id:
            self._on_fault()
            raise RedisConnectionError("another server answers")


def _evalsha(script: str, call: ScriptCall) -> tuple[Any, ...]:
    keys, arguments = call
    return "EVALSHA", _sha(script), len(keys), *keys, *arguments


def _without_command(error: Exception) -> Exception:
    """Return an error without the command that caused it, whose arguments would stand in a log."""
    _, caused, text = str(error).partition(" of pipeline caused error: ")
    return type(error)(text) if caused else error
