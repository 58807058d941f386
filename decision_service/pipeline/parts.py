"""What every batch is decided with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from decision_service.commands.decide_request import RequestReader
from decision_service.learning.serving import ServedPolicy
from decision_service.projection.writer import LogWriter
from decision_service.state.base import StateStore
from decision_service.state.shopper_keys import ShopperKeys


@dataclass(frozen=True)
class Parts:
    """What every batch is decided with.

    Parameters
    ----------
    serving
        Returns the catalogue and the policy in force: a round takes both once, to draw with them.
    store, log_writer
        The shoppers' states and the log.
    seed
        The application seed stored with the data.
    shopper_keys
        The keys that states are kept under.
    requests
        Makes requests of bodies.
    """

    serving: Callable[[], ServedPolicy]
    store: StateStore
    log_writer: LogWriter
    seed: bytes
    shopper_keys: ShopperKeys
    requests: RequestReader
