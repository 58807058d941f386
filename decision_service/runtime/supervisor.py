"""The process that the person starts: it claims the data directory, runs the driver, and clears up at the end.

Ray's processes must not receive the terminal's Ctrl-C or a signal to the whole process group. So the driver runs in a
session of its own, and the supervisor forwards one signal to it. The driver's output goes to the service log; the
lines for the person arrive as messages of the driver.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from decision_service.runtime import driver_process, haproxy, leftovers, ports
from decision_service.runtime.data_directory import DataDirectory, DirectoryLock, RunRecord
from decision_service.runtime.driver_process import DriverConfig, DriverProcess, FailureMessage, ProgressMessage
from decision_service.runtime.errors import ServiceDied, StartRefused
from decision_service.runtime.ingress.address import prove, take_address
from decision_service.runtime.ingress.configuration import IngressPlan
from decision_service.runtime.ingress.identity import identity_of
from decision_service.runtime.ingress.process import Ingress
from decision_service.runtime.runtime_directory import RuntimeDirectory
from decision_service.runtime.start import limits
from decision_service.service_log import write_warnings
from decision_service.settings import Settings

_STOP_WITHIN_S = 20.0
_GIVE_UP_START_WITHIN_S = 5.0
"""Ray hears no signals while it starts. It may be killed then, because nothing has to be written yet."""

_SECOND_SIGNAL_AFTER_S = 1.0
"""`make` and some shells pass on a signal that the whole group has received: an earlier one is the same signal."""

_FORCED_STOP = 130


class Supervisor:
    """Runs one service from its start to its end, in the main thread.

    Parameters
    ----------
    settings
        The operator's settings.
    application
        ``module:function`` of the function that builds the Serve application from the settings.
    say
        Shows a line to the person.
    """

    def __init__(self, settings: Settings, application: str, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._application = application
        self._say = say
        self._data = DataDirectory(settings.data_dir)
        self._driver: DriverProcess | None = None
        self._stop_requested_at: float | None = None
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
            When the service cannot start, with the reason.
        ServiceDied
            When the service ends by itself.
        """
        with self._handle_signals():
            limits.raise_limits(self._say)
            self._data.prepare()
            write_warnings(self._data.service_log, "supervisor")
            lock = leftovers.claim(self._data, self._say)
            try:
                return self._run_once(lock)
            finally:
                lock.release()

    def _run_once(self, lock: DirectoryLock) -> int:
        address = take_address(self._settings.host, self._settings.port)
        try:
            return self._run_at(address, lock)
        finally:
            address.close()

    def _run_at(self, address: socket.socket, lock: DirectoryLock) -> int:
        chosen = ports.choose(address.getsockname()[1])
        token = secrets.token_hex(16)
        runtime = RuntimeDirectory.create(token)
        pinned = runtime.pin()
        run = self._describe_run(token, runtime, chosen)
        lock.write_record(run)
        try:
            with self._open_ingress(address, runtime, run) as ingress:
                return self._supervise(lock, runtime, run, chosen, ingress)
        finally:
            if self._driver is not None:
                self._driver.kill_and_wait()
            leftovers.clear(self._data, run)
            lock.erase_record()
            os.close(pinned)

    def _describe_run(self, token: str, runtime: RuntimeDirectory, chosen: ports.Ports) -> RunRecord:
        return RunRecord(
            token=token,
            home=self._data.identity,
            runtime=str(runtime.path),
            pid=os.getpid(),
            url=f"http://{self._settings.host}:{chosen.http}",
            locks_supervisor=True,
        )

    @contextmanager
    def _open_ingress(
        self, address: socket.socket, runtime: RuntimeDirectory, run: RunRecord
    ) -> Iterator[Ingress | None]:
        """Answer at the public address from now on, and prove that the address leads here."""
        program = haproxy.find_binary()
        if program is None:
            self._say("There is no HAProxy on this platform: Ray's own proxy answers, at a tenth of the rate")
            address.close()  # Ray's own proxy will listen there
            yield None
            return
        runtime.ingress.mkdir()
        plan = IngressPlan(
            directory=runtime.ingress,
            service_socket=runtime.serve_socket,
            identity=identity_of(run.token),
            replicas=self._settings.replicas,
        )
        environ = os.environ | {leftovers.TOKEN_VARIABLE: run.token}
        with Ingress(program, address, plan, self._data.logs / "ingress.log", environ) as ingress:
            host, port = address.getsockname()
            prove(host, port, plan.identity)
            yield ingress

    def _supervise(
        self,
        lock: DirectoryLock,
        runtime: RuntimeDirectory,
        run: RunRecord,
        chosen: ports.Ports,
        ingress: Ingress | None,
    ) -> int:
        self._data.rotate_log()
        began = time.monotonic()
        reader, writer = os.pipe()
        config = DriverConfig(
            settings=self._settings.model_dump_json(),
            application=self._application,
            token=run.token,
            runtime_directory=str(runtime.path),
            ports=chosen,
            identity=identity_of(run.token),
            messages_fd=writer,
            lock_fd=lock.fd,
        )
        self._driver = DriverProcess(config, driver_process.build_environment(runtime, chosen, run), self._data)
        if self._stop_requested_at is not None:  # the signal came before there was a driver to forward it to
            self._driver.terminate()
        failure = None
        for message in driver_process.read_messages(reader):
            if isinstance(message, FailureMessage):
                failure = message.reason
            elif isinstance(message, ProgressMessage):
                self._say(message.text)
            else:
                self._ready = True
                if ingress is not None:
                    ingress.open()
                self._say(self._banner(run, time.monotonic() - began))
        return self._exit_code(self._driver.wait(), failure)

    def _exit_code(self, driver_code: int, failure: str | None) -> int:
        if failure is not None:
            raise StartRefused(f"{failure}\nSee {self._data.service_log}")
        if self._killed:
            self._say("Killed: a second Ctrl-C came, or it did not stop in time")
            return _FORCED_STOP
        if self._stop_requested_at is not None and (driver_code in (0, -signal.SIGTERM) or not self._ready):
            self._say("Stopped")
            return 0
        raise ServiceDied(f"the service died (exit code {driver_code}); see {self._data.service_log}")

    def _banner(self, run: RunRecord, took_s: float) -> str:
        return (
            f"\nThe decision service is ready after {took_s:.0f} s\n"
            f"  API   {run.url}\n"
            f"  Docs  {run.url}/docs\n"
            f"  Data  {self._data.path}\n"
            f"  Logs  {self._data.logs}\n"
            f"  Stop  Ctrl-C, or SIGTERM to process {run.pid}\n"
        )

    @contextmanager
    def _handle_signals(self) -> Iterator[None]:
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
        if self._stop_requested_at is None:
            self._stop_requested_at = now
            signal.setitimer(signal.ITIMER_REAL, _STOP_WITHIN_S if self._ready else _GIVE_UP_START_WITHIN_S)
            if self._driver is not None:
                self._driver.terminate()
        elif number == signal.SIGINT and now - self._stop_requested_at > _SECOND_SIGNAL_AFTER_S:
            self._kill()

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        left_s = (self._stop_requested_at or 0.0) + _STOP_WITHIN_S - time.monotonic()
        if self._ready and left_s > 0:  # the service came up meanwhile, and stops in order
            signal.setitimer(signal.ITIMER_REAL, left_s)
        elif self._ready:
            self._kill()
        elif self._driver is not None:
            self._driver.kill()

    def _kill(self) -> None:
        self._killed = True
        if self._driver is not None:
            self._driver.kill()
