"""The process of the ingress: started once, watched, and started again when it dies or hangs."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from decision_service.runtime.die_with_parent import wrap_command
from decision_service.runtime.errors import StartRefused
from decision_service.runtime.ingress.configuration import BACKENDS, SERVER, IngressPlan, write_configuration
from decision_service.runtime.ingress.program import copy_program

_READY_WITHIN_S = 15.0
_STOP_WITHIN_S = 5.0
_LOOK_EVERY_S = 1.0
_ANSWERS_WITHIN_S = 2.0
_ASK_EVERY_S = 0.02
_HANGS_AFTER = 2
"""HAProxy is killed when it does not answer its admin socket so many times in a row."""

_logger = logging.getLogger(__name__)


class Ingress:
    """HAProxy at the public address. The socket stays open while HAProxy is started again: callers wait a moment.

    Parameters
    ----------
    program
        The binary of HAProxy.
    address
        A socket that is bound to the public address. HAProxy makes it listen.
    plan
        What the configuration depends on.
    log
        File for the output of HAProxy.
    environ
        The environment of HAProxy.
    """

    def __init__(
        self, program: Path, address: socket.socket, plan: IngressPlan, log: Path, environ: Mapping[str, str]
    ) -> None:
        self._program = copy_program(program, plan.directory)
        self._address = address
        self._plan = plan
        self._log = log
        self._environ = environ
        self._is_open = False
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel kills HAProxy when the thread that started it ends. So one thread starts it each time, and stays.
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="ingress")

    @property
    def pid(self) -> int | None:
        """Process id of HAProxy; None before the first start."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        self._keeper.start()
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise StartRefused(f"the ingress (HAProxy) does not start; {self._log} says why")
            time.sleep(_ASK_EVERY_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        self._keeper.join(_STOP_WITHIN_S)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def open(self) -> None:
        """Let requests through to the service. Before this call the ingress answers them with 503."""
        self._is_open = True
        for backend in BACKENDS:
            self._command(f"set server {backend}/{SERVER} state ready")

    def _keep(self) -> None:
        while not self._stopping.is_set():
            process = self._start()
            if answered := self._await_answer(process):
                self._watch(process)
            if not self._stopping.wait(0.0 if answered else _LOOK_EVERY_S):
                _logger.warning("The ingress (HAProxy) ended (exit code %s), and is started again", process.returncode)

    def _start(self) -> subprocess.Popen[bytes]:
        fd = self._address.fileno()
        configuration = write_configuration(self._plan, fd, is_open=self._is_open)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                wrap_command([str(self._program), "-db", "-f", str(configuration)], parent=os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                pass_fds=[fd],
                start_new_session=True,
            )
        self._process = process
        return process

    def _await_answer(self, process: subprocess.Popen[bytes]) -> bool:
        """Return whether a new process answers; kill it if it does not."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if self._has_ended(process, within_s=_ASK_EVERY_S):
                return False
            if time.monotonic() > deadline:
                process.kill()
        return True

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Return when the process has ended; kill a process that hangs."""
        silent = 0
        while not self._has_ended(process, within_s=_LOOK_EVERY_S):
            silent = 0 if self._answers() else silent + 1
            if silent >= _HANGS_AFTER and not self._stopping.is_set():
                process.kill()

    def _has_ended(self, process: subprocess.Popen[bytes], within_s: float) -> bool:
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _answers(self) -> bool:
        return self._command("show version") != ""

    def _command(self, text: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as admin:
                admin.settimeout(_ANSWERS_WITHIN_S)
                admin.connect(str(self._plan.admin_socket))
                admin.sendall(f"{text}\n".encode())
                return b"".join(iter(lambda: admin.recv(65_536), b"")).decode()
        except OSError:
            return ""
