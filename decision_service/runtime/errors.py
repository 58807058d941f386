"""Why a service could not start."""

from __future__ import annotations


class StartRefused(Exception):
    """The service cannot start here and now; the message says why and what to do."""
