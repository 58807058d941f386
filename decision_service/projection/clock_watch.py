"""The watch over the clock: a lead of the log's time is measured, and corrected although nothing else is written."""

from __future__ import annotations

import asyncio
import logging

from decision_service import metrics
from decision_service.errors import Unavailable
from decision_service.log.base import MOST_LEAD_S, LogUnavailable, NewRow
from decision_service.log.clock import ServiceClock
from decision_service.periodic import PeriodicTask
from decision_service.projection.writer import LogWriter
from policies.records.rows import ClockRow

_CHECK_EVERY_S = 0.5
_logger = logging.getLogger(__name__)


class ClockWatch:
    """Compares the time of the log with the clock twice a second.

    Parameters
    ----------
    log_writer
        Writes the row before which the log corrects its time.
    clock
        The clock of the service; in request mode there is nothing to watch.
    """

    def __init__(self, log_writer: LogWriter, clock: ServiceClock) -> None:
        self._log_writer = log_writer
        self._clock = clock
        self._task = PeriodicTask(self._watch, _CHECK_EVERY_S)

    def start(self) -> None:
        """Watch from now on."""
        if self._clock.is_wall:
            self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _watch(self) -> None:
        try:
            lead_s = self._clock.lead(await asyncio.to_thread(self._log_writer.log.head))
            metrics.replica_gauges().clock_lead.set(lead_s)
            if lead_s > MOST_LEAD_S:  # the log writes its correction before any row
                await self._log_writer.append(NewRow(ClockRow(at=self._clock.now())))
        except (Unavailable, LogUnavailable) as error:
            _logger.warning("the lead of the log's time is not known: %s", error)
