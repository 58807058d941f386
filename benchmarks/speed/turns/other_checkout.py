"""An older checkout of the project that runs a timer of this one against its own packages, in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast


class OtherCheckout:
    """Asks a timer in an older checkout for one round after the other, so that two versions run in turns.

    A timer is a file that measures one round for each line on its standard input, and writes the round as a line of
    JSON. A timer imports nothing that the older version lacks.

    Parameters
    ----------
    checkout
        The directory of the older version, with a virtual environment at ``.venv``.
    timer
        The timer's file, as this version has it.
    arguments
        What the timer is called with.
    """

    def __init__(self, checkout: Path, timer: str, *arguments: str) -> None:
        python = checkout / ".venv" / "bin" / "python"
        run = f"import runpy; runpy.run_path({timer!r}, None, '__main__')"
        self._process = subprocess.Popen(
            [str(python), "-c", f"import sys; sys.argv[1:] = {list(arguments)!r}; {run}"],
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._input, self._output = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._input.close()
        self._process.wait()
        self._output.close()

    def measure(self) -> Any:
        """Measure one round, and return what the timer wrote."""
        self._input.write(b"again\n")
        self._input.flush()
        return json.loads(self._output.readline())
