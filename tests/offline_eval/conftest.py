"""Worlds that several tests draw their logs from."""

from __future__ import annotations

import pytest

from tests.reference.worlds import RewardWorld


@pytest.fixture(scope="session")
def world() -> RewardWorld:
    return RewardWorld.of(1)
