"""The parts of a replica that every batch is decided with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from decision_service.learning.serving import ServedPolicy
from decision_service.pipeline.request_reader import RequestReader
from decision_service.projection.writer import LogWriter
from decision_service.state.base import StateStore
from decision_service.state.shopper_keys import ShopperKeys


@dataclass(frozen=True)
class Parts:
    """The parts of a replica that every batch is decided with.

    Parameters
    ----------
    serving
        Returns the catalogue and the policy in force. A round calls it once, so that all its draws use the same two.
    store, log_writer
        The shoppers' states and the log.
    seed
        The application seed stored with the data.
    shopper_keys
        Returns the key under which a shopper's state is kept.
    requests
        Returns the requests of bodies.
    """

    serving: Callable[[], ServedPolicy]
    store: StateStore
    log_writer: LogWriter
    seed: bytes
    shopper_keys: ShopperKeys
    requests: RequestReader
