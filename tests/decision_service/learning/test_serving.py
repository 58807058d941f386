"""What a replica serves; `tests/stories/test_recovery.py` has the versions and the failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from decision_service.app import open_log, open_registry
from decision_service.learning.serving import Serving
from decision_service.settings import Settings
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import POLICIES

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", POLICIES)
async def test_every_policy_that_is_served_has_the_hold_share_the_fallback_too(
    name: str, tmp_path: Path, small_rulebook: Rulebook
) -> None:
    settings = Settings.load({"data_dir": tmp_path, "policy": name, "hold_share": "0.05"}, {})
    log, registry = open_log(settings), open_registry(settings)
    serving = Serving(registry, log, small_rulebook, settings.policy, settings.hold_share)
    assert serving.current().policy.hold_share == 0.05
    if POLICIES[name].learns:
        await serving._swap(7, small_rulebook)  # the registry has no such version
        assert (serving.current().policy.mode, serving.current().policy.hold_share) == ("fallback", 0.05)
    registry.close()
    log.close()
