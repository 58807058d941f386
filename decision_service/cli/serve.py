"""``decision-service serve``: start the service and stay until it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import typer

from decision_service.runtime.errors import ServiceDied, StartRefused
from decision_service.runtime.supervisor import Supervisor
from decision_service.settings import Settings, SettingsRefused

APPLICATION = "decision_service.runtime.deployments:build_application"

_REFUSED_SETTINGS = 2
_FAILED = 1


def run(options: Mapping[str, str | None], *, application: str = APPLICATION) -> int:
    """Serve until stopped; return the exit code.

    Parameters
    ----------
    options
        Setting → value as typed, None where not given.
    application
        ``module:function`` of what builds the Serve application from the settings.
    """
    try:
        return Supervisor(Settings.load(options), application, _say).run()
    except SettingsRefused as refusal:
        _complain(str(refusal))
        return _REFUSED_SETTINGS
    except (StartRefused, ServiceDied) as failure:
        _complain(str(failure))
        return _FAILED


def _say(line: str) -> None:
    with suppress(BrokenPipeError):  # nobody reads on; the service stays
        typer.echo(line)


def _complain(text: str) -> None:
    for line in text.splitlines():
        typer.echo(f"decision-service: {line}", err=True)
