"""The reasons why a service does not run."""

from __future__ import annotations


class StartRefused(Exception):
    """The service cannot start; the message names the reason and the cure."""


class ServiceDied(Exception):
    """The service ended although nobody asked it to stop; the message names the exit code and the log file."""
