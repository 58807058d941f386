"""The process that the terminal knows: claims the data directory, runs the driver, forwards one signal, clears.

Ray's processes must not see the terminal's Ctrl-C or a signal to the whole group, so the driver runs in a
session of its own. Its output goes to the service log; what a person should know arrives as events.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

from decision_service.runtime import driver_process, haproxy, leftovers, ports
from decision_service.runtime.claim import claim
from decision_service.runtime.data_directory import DataDirectory, Hold, Run
from decision_service.runtime.driver_process import DriverProcess
from decision_service.runtime.errors import ServiceDied, StartRefused
from decision_service.runtime.messages import Failed, Order, Progress
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.runtime.say import Say
from decision_service.settings import Settings

_STOP_WITHIN_S = 20.0
_GIVE_UP_START_WITHIN_S = 5.0
# Ray's start does not hear signals while it waits; before the service is ready there is nothing to be flushed.
# `make` and some shells pass on a signal that the whole group already got: that is no second one.
_SECOND_AFTER_S = 1.0
_FORCED = 130


class Supervisor:
    """Runs one service from its start to its end, in the main thread.

    Parameters
    ----------
    settings
        What the operator chose.
    application
        ``module:function`` of what builds the Serve application from the settings.
    say
        Receives each line for the terminal.
    """

    def __init__(self, settings: Settings, application: str, say: Say) -> None:
        self._settings = settings
        self._application = application
        self._say = say
        self._data = DataDirectory(settings.data_dir)
        self._driver: DriverProcess | None = None
        self._asked_at: float | None = None
        self._ready = self._killed = False

    def run(self) -> int:
        """Run the service until it is stopped.

        Returns
        -------
        int
            The exit code: 0 after a clean stop, 130 after a forced one.

        Raises
        ------
        StartRefused
            When it cannot start, with the reason.
        ServiceDied
            When it ends by itself.
        """
        with self._signals():
            self._data.prepare()
            hold = claim(self._data, self._say)
            try:
                return self._run_once(hold)
            finally:
                hold.release()

    def _run_once(self, hold: Hold) -> int:
        chosen = ports.choose(self._settings.host, self._settings.port)
        token = secrets.token_hex(16)
        runtime = RuntimeDirectory.create(token)
        pinned = runtime.pin()
        run = self._new_run(token, runtime, chosen)
        hold.write(run)
        try:
            return self._supervise(hold, runtime, run, chosen)
        finally:
            if self._driver is not None:
                self._driver.end()
            leftovers.clear(self._data, run)
            hold.forget()
            os.close(pinned)

    def _new_run(self, token: str, runtime: RuntimeDirectory, chosen: ports.Ports) -> Run:
        return Run(
            token=token,
            home=self._data.identity,
            runtime=str(runtime.path),
            pid=os.getpid(),
            started_at=psutil.Process().create_time(),
            url=f"http://{self._settings.host}:{chosen.http}",
        )

    def _supervise(self, hold: Hold, runtime: RuntimeDirectory, run: Run, chosen: ports.Ports) -> int:
        self._data.rotate_log()
        if haproxy.binary() is None:
            self._say("There is no HAProxy on this platform: Ray's own proxy answers, at a tenth of the rate")
        began = time.monotonic()
        reader, writer = os.pipe()
        order = Order(
            settings=self._settings.model_dump_json(),
            application=self._application,
            runtime=str(runtime.path),
            ports=chosen,
            events=writer,
            lock=hold.fd,
        )
        self._driver = DriverProcess(order, driver_process.environment(runtime, chosen, run), self._data)
        if self._asked_at is not None:  # before there was a driver to forward it to
            self._driver.terminate()
        failure = None
        for event in driver_process.events(reader):
            if isinstance(event, Failed):
                failure = event.reason
            elif isinstance(event, Progress):
                self._say(event.text)
            else:
                self._ready = True
                self._say(self._banner(run, time.monotonic() - began))
        return self._verdict(self._driver.wait(), failure)

    def _verdict(self, code: int, failure: str | None) -> int:
        if failure is not None:
            raise StartRefused(f"{failure}\nSee {self._data.service_log}")
        if self._killed:
            self._say("Killed: a second Ctrl-C came, or it did not stop in time")
            return _FORCED
        if self._asked_at is not None and (code in (0, -signal.SIGTERM) or not self._ready):
            self._say("Stopped")
            return 0
        raise ServiceDied(f"the service died (exit code {code}); see {self._data.service_log}")

    def _banner(self, run: Run, took_s: float) -> str:
        return (
            f"\nThe decision service is ready after {took_s:.0f} s\n"
            f"  API   {run.url}\n"
            f"  Docs  {run.url}/docs\n"
            f"  Data  {self._data.path}\n"
            f"  Logs  {self._data.logs}\n"
            f"  Stop  Ctrl-C, or SIGTERM to process {run.pid}\n"
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        handlers = {signal.SIGTERM: self._on_stop, signal.SIGINT: self._on_stop, signal.SIGALRM: self._on_alarm}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup
            handlers[signal.SIGHUP] = self._on_stop
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            signal.setitimer(signal.ITIMER_REAL, _STOP_WITHIN_S if self._ready else _GIVE_UP_START_WITHIN_S)
            if self._driver is not None:
                self._driver.terminate()
        elif number == signal.SIGINT and now - self._asked_at > _SECOND_AFTER_S:
            self._kill()

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        left_s = (self._asked_at or 0.0) + _STOP_WITHIN_S - time.monotonic()
        if self._ready and left_s > 0:  # it came up all the same, and stops in order
            signal.setitimer(signal.ITIMER_REAL, left_s)
        elif self._ready:
            self._kill()
        elif self._driver is not None:
            self._driver.kill()

    def _kill(self) -> None:
        self._killed = True
        if self._driver is not None:
            self._driver.kill()
