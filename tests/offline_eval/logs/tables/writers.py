"""Writers of tables in both formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

Columns = list[tuple[str, Any]]


def write(path: Path, columns: Columns) -> Path:
    names, arrays = [name for name, _ in columns], [pyarrow.array(values) for _, values in columns]
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, names=names), path)
    return path


def write_csv(path: Path, columns: Columns) -> Path:
    lines = [[name for name, _ in columns], *zip(*(values for _, values in columns), strict=True)]
    path.write_text("".join(",".join(map(str, cells)) + "\n" for cells in lines))
    return path


Write = Callable[[Path, Columns], Path]


every_format = pytest.mark.parametrize("written", [write, write_csv])
