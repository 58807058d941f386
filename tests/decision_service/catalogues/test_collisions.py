from __future__ import annotations

import pytest

from decision_service.catalogues import collisions
from decision_service.catalogues.file import example


def test_the_example_has_no_collision() -> None:
    assert collisions.find_collisions(example()) == []


def test_features_that_share_a_weight_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = example()
    monkeypatch.setattr(collisions, "BITS", 4)
    (mistake,) = collisions.find_collisions(catalogue)
    assert mistake.path == "messages"
    assert "share a weight" in mistake.message
