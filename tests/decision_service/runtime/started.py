"""A service started as a person would: a process group of its own, its output read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from decision_service.runtime import leftovers
from decision_service.runtime.data_directory import DataDirectory, RunRecord

_WITHIN_S = 180.0
_ROOT = Path(__file__).parents[3]


class Started:
    """A started service, with the tiny application unless ``serve`` gives options for the real one."""

    def __init__(
        self,
        data_dir: Path,
        temp_dir: Path,
        port: int = 0,
        application: str = "build",
        serve: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.data = DataDirectory(data_dir)
        tiny = ["-m", "tests.decision_service.runtime.tiny", str(port), str(data_dir), application]
        real = ["-m", "decision_service", "serve", "--port", str(port), "--data-dir", str(data_dir), *(serve or ())]
        self._lines: list[str] = []
        self._more = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, *(tiny if serve is None else real)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=_ROOT,
            env=os.environ | {"TMPDIR": str(temp_dir)} | dict(environ or {}),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def run(self) -> RunRecord:
        run = self.data.last_run()
        assert run is not None, self.output
        return run

    @property
    def output(self) -> str:
        return "\n".join(self._lines)

    def await_line(self, part: str) -> None:
        """Wait for a line that contains this text, and fail when the output ends before."""

        def is_done() -> bool:
            return part in self.output or not self._reader.is_alive()

        with self._more:
            assert self._more.wait_for(is_done, _WITHIN_S), self.output
        assert part in self.output, self.output

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.run().url + path, timeout=10) as answer:
            return json.load(answer)

    def driver(self) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if "decision_service.runtime.driver" in child.cmdline())

    def signal_group(self, number: signal.Signals) -> int:
        os.killpg(self.process.pid, number)
        return self.exit_code()

    def exit_code(self) -> int:
        code = self.process.wait(_WITHIN_S)
        self._reader.join(_WITHIN_S)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._more:
                    self._lines.append(line.rstrip("\n"))
                    self._more.notify_all()


def processes_of(run: RunRecord) -> list[psutil.Process]:
    """Return the living processes of the run; those that are dying have ten seconds to end."""
    _, alive = psutil.wait_procs(leftovers.find_processes(run.token), timeout=10)
    return alive
