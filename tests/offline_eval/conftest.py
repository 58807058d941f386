"""Worlds that several tests draw their logs from."""

from __future__ import annotations

import pytest

from tests.reference.worlds import World


@pytest.fixture(scope="session")
def world() -> World:
    return World.of(1)
