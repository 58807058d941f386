"""What the supervisor and the driver tell each other: one order, then events, as lines of JSON."""

from __future__ import annotations

import msgspec

from decision_service.runtime.ports import Ports


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """All that a driver needs.

    Attributes
    ----------
    settings
        The settings as JSON.
    application
        ``module:function`` of what builds the Serve application from the settings.
    runtime
        Path of the run's directory of sockets.
    ports
        The ports to listen on.
    events, lock
        Inherited file descriptors: where events go, and the data directory's lock.
    """

    settings: str
    application: str
    runtime: str
    ports: Ports
    events: int
    lock: int


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Something that takes a while has begun."""

    text: str


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The application answers."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The service cannot run."""

    reason: str


Event = Progress | Ready | Failed
