"""Facts that are stored with the log once and never change."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from decision_service.log.base import EventLog
from decision_service.log.clock import CLOCK_FACT


class SettingsConflict(ValueError):
    """A setting contradicts a fact that is stored with the log."""


@dataclass(frozen=True)
class Facts:
    """The facts that a service runs with.

    Parameters
    ----------
    log_id
        The identity of the log.
    seed
        The application seed of all draws.
    salt
        The salt of the shoppers' keys.
    """

    log_id: str
    seed: bytes
    salt: bytes


def agree_on_facts(log: EventLog, clock: str, seed: int | None) -> Facts:
    """Store the facts of a new log, and return the facts of the log.

    Parameters
    ----------
    log
        The log.
    clock
        The mode of the clock: ``wall`` or ``request``.
    seed
        The application seed, None for the stored one or, in a new log, a random one.

    Raises
    ------
    SettingsConflict
        When clock or seed differ from the stored ones.
    """
    stored_clock = log.store_fact(CLOCK_FACT, clock)
    if stored_clock != clock:
        raise SettingsConflict(f"--clock: these data were made with the {stored_clock} clock, not {clock}")
    stored_seed = log.store_fact("seed", str(seed if seed is not None else secrets.randbits(63)))
    if seed is not None and stored_seed != str(seed):
        raise SettingsConflict(f"--seed: these data were made with seed {stored_seed}, not {seed}")
    return Facts(log.store_fact("log_id", secrets.token_hex(8)), stored_seed.encode(), store_salt(log))


def store_salt(log: EventLog) -> bytes:
    """Store a random salt in a new log, and return the stored one."""
    return log.store_fact("salt", secrets.token_hex(16)).encode()
