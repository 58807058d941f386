"""How far back the rules of the catalogue in force can look: so long the states must keep sends."""

from __future__ import annotations

from decision_service.log.base import EventLog
from policies.catalogue.document import Catalogue
from policies.records.rows import CatalogueRow
from policies.rules.rules import RULES
from policies.shopper.state import HORIZON_S


class CatalogueReach:
    """Follows the catalogues of a log.

    Parameters
    ----------
    log
        Where catalogues come into force.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._position = 0
        self._horizon_s = HORIZON_S

    def horizon_s(self) -> float:
        """Return how long the states must keep sends for the catalogue in force.

        Raises
        ------
        LogUnavailable
            When the log cannot be read.
        """
        latest = self._log.find_last(CatalogueRow.kind)
        if latest is not None and latest.position != self._position and isinstance(latest.row, CatalogueRow):
            self._horizon_s = RULES.horizon_s(Catalogue.from_stored(latest.row.document))
            self._position = latest.position
        return self._horizon_s
