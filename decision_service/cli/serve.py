"""``decision-service serve``: start the service and stay until it is stopped."""

from __future__ import annotations

from collections.abc import Mapping

from decision_service.catalogues.file import CatalogueFileError, read_catalogue
from decision_service.cli.messages import print_error, print_line
from decision_service.runtime.errors import ServiceDied, StartRefused
from decision_service.runtime.supervisor import Supervisor
from decision_service.settings import Settings, SettingsRefused

APPLICATION = "decision_service.runtime.deployments:build_application"

_FAILED, _SETTINGS_REFUSED = 1, 2


def run(options: Mapping[str, str | None], *, application: str = APPLICATION) -> int:
    """Run the service until it is stopped, and return the exit code.

    Parameters
    ----------
    options
        Setting → value as typed; None for an absent option.
    application
        ``module:function`` of the function that builds the Serve application from the settings.
    """
    try:
        settings = Settings.load(options)
        if settings.catalog is not None:
            read_catalogue(settings.catalog)  # every mistake is named before anything starts
        return Supervisor(settings, application, print_line).run()
    except (SettingsRefused, CatalogueFileError) as refusal:
        print_error(str(refusal))
        return _SETTINGS_REFUSED
    except (StartRefused, ServiceDied) as failure:
        print_error(str(failure))
        return _FAILED
