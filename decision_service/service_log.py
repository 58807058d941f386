"""The service log: warnings and errors of every process, one after the other in one file.

Each record is written at once, in one piece, to the end of the file: it is there when the process is killed, and
records of several processes do not mix.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextvars import ContextVar
from pathlib import Path

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that is answered, as the caller or the ingress gave it."""

FORMAT = "%(asctime)s %(levelname)s %(process_name)s [%(request_id)s] %(name)s: %(message)s%(repeats)s"

_logger = logging.getLogger(__name__)

_REPEATS_AFTER_S = 60.0
_REMEMBERED = 1_000
_OWN_HANDLERS = ("", "ray.serve")
"""Loggers that do not pass their records on: the root, and that of Ray Serve, which writes files of its own too."""


class ServiceLog(logging.Handler):
    """Appends records to the service log. A file that cannot be written never disturbs the process.

    Parameters
    ----------
    path
        The service log.
    process_name
        What the process is.
    """

    def __init__(self, path: Path, process_name: str) -> None:
        super().__init__(logging.WARNING)
        self._path = path
        self._process_name = f"{process_name}/{os.getpid()}"
        formatter = logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%SZ")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)
        self.addFilter(RepeatFilter())

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        record.process_name = self._process_name
        record.request_id = getattr(record, "request_id", None) or REQUEST_ID.get()  # Serve's records have their own
        try:
            text = f"{self.format(record)}\n".encode(errors="backslashreplace")
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, text)
            finally:
                os.close(file)
        except Exception:  # for example a full disk
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Stay silent: the record is in the output of the process too."""


class RepeatFilter(logging.Filter):
    """Lets an equal record pass once a minute, with the number of those that did not pass.

    Examples
    --------
    >>> repeats, record = RepeatFilter(), logging.makeLogRecord({"msg": "away", "created": 5.0})
    >>> repeats.filter(record), repeats.filter(record)
    (True, False)
    >>> later = logging.makeLogRecord({"msg": "away", "created": 66.0})
    >>> repeats.filter(later), later.repeats
    (True, ' (1 more since)')
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record passes."""
        message, error = record.getMessage(), record.exc_info[1] if record.exc_info else None
        key = (record.name, record.lineno, message, repr(error))
        passed_at, held_back = self._seen.pop(key, (float("-inf"), 0))
        if record.created - passed_at < _REPEATS_AFTER_S:
            self._seen[key] = passed_at, held_back + 1
            return False
        self._seen[key] = record.created, 0
        if len(self._seen) > _REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        record.repeats = f" ({held_back} more since)" if held_back else ""
        return True


def write_warnings(path: Path, process_name: str) -> None:
    """Write the warnings and errors of this process to the service log from now on, also why a thread died."""
    handler = ServiceLog(path, process_name)
    for name in _OWN_HANDLERS:
        logging.getLogger(name).addHandler(handler)
    threading.excepthook = _report_dead_thread


def _report_dead_thread(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_value is not None and not isinstance(caught.exc_value, SystemExit):
        name = "" if caught.thread is None else caught.thread.name
        _logger.critical("the thread %s died", name, exc_info=caught.exc_value)
