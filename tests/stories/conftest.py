"""Stories run on the replica that the tests of the service start, or share one whole service."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.decision_service.conftest import _no_replica_stays, empty_databases, replica
from tests.stories.whole_service import WholeService, started_service

__all__ = ["_no_replica_stays", "empty_databases", "replica"]


@pytest.fixture(scope="session")
def short_temp_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def whole_service(tmp_path_factory: pytest.TempPathFactory, short_temp_dir: Path) -> Iterator[WholeService]:
    """Return one running service for all stories that need all of it; a story that kills it comes last."""
    with started_service(tmp_path_factory.mktemp("whole") / "data", short_temp_dir) as service:
        yield service
