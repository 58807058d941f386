"""What docs/simulator.md shows of the environment is true: its blocks of ``python`` run in order, as one program.

Blocks of ``py`` need libraries that are no dependencies, and are not run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 4
    program: dict[str, Any] = {}
    for block in blocks:
        exec(block, program)
    assert (tmp_path / "trajectories.parquet").exists()
