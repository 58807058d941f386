"""Why a service does not run."""

from __future__ import annotations


class StartRefused(Exception):
    """The service cannot start here and now; the message says why and what to do."""


class ServiceDied(Exception):
    """The service ended without having been asked to; the message says how."""
