"""Why a Redis cannot be used, in one sentence with the remedy, and without a word of the driver.

The driver's own text may contain a password, or the arguments of a command.
"""

from __future__ import annotations

import socket
import ssl

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import InvalidResponse as NoRedis
from redis.exceptions import TimeoutError as RedisTimeoutError

UNREACHABLE = "it cannot be reached"
EMPTIED = "the state store was emptied or restarted"
REPLICA = "it is a read-only replica: give the URL of its primary"
_PASSWORD = "it wants a password: give redis://:PASSWORD@host:port/0"

_BY_TEXT = {
    "called without any password": "it has no password, but the URL gives one: leave the password out of the URL",
    "no password is set": "it has no password, but the URL gives one: leave the password out of the URL",
    "HELLO must be called with the client already authenticated": _PASSWORD,
    "Authentication required": _PASSWORD,
    "DB index is out of range": "it has no database of this number: give another number at the end of the URL",
    "MISCONF": "it refuses writes because it cannot save a snapshot: see its log, or set save '' there",
    "max number of clients": "it has no connection left: raise its maxclients",
    "unknown command": "it lacks a command that the service needs: use a newer Redis",
}
_BY_CLASS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (AuthenticationError, "it refuses the user or the password of the URL: correct them"),
    (NoPermissionError, "its user lacks a permission: grant it all commands on the keys ds:* (ACL SETUSER)"),
    (ReadOnlyError, REPLICA),
    (MasterDownError, REPLICA),
    (OutOfMemoryError, "its memory is full: raise its maxmemory"),
    (BusyLoadingError, "it is still loading its data: try again in a moment"),
    ((ClusterError, ClusterCrossSlotError, MovedError), "it is a Redis Cluster: give the URL of a single Redis"),
    (NoScriptError, EMPTIED),
    (NoRedis, "what answers there is no Redis: correct the address, or use rediss:// for TLS"),
    (ConnectionRefusedError, "nobody listens there: start it, or correct the address"),
    (socket.gaierror, "the name of its host is not known: correct the name"),
    (FileNotFoundError, "there is no such socket: start it, or correct the path"),
    (PermissionError, "this user may not use its socket: change the permissions of the socket"),
    (ssl.SSLError, "TLS failed: use redis:// for a Redis without TLS, or name its certificate in the URL"),
    ((RedisTimeoutError, TimeoutError), "it does not answer in time: see whether it is overloaded or stopped"),
    (ResponseError, EMPTIED),
)


def describe_fault(error: BaseException) -> str:
    """Return why a Redis cannot be used.

    >>> describe_fault(ConnectionRefusedError())
    'nobody listens there: start it, or correct the address'
    """
    chain = _causes(error)
    for text, reason in _BY_TEXT.items():
        if any(text in _text(cause) for cause in chain):
            return reason
    return next((reason for kind, reason in _BY_CLASS if _has(chain, kind)), UNREACHABLE)


def _text(error: BaseException) -> str:
    """Return the text of an error without the command that caused it, which may contain anything."""
    return str(error).rpartition(" of pipeline caused error: ")[2]


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _has(chain: list[BaseException], kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(cause, kind) for cause in chain)
