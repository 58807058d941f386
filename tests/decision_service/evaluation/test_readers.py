"""Readers: a log in several files is the log in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from decision_service.evaluation.log_decisions import EVALUATED
from decision_service.evaluation.readers import FileReader
from offline_eval.logs.files import find_files
from offline_eval.logs.kinds import Kind
from tests.offline_eval.logs.dsjson.events import make_events, write_events


@pytest.mark.parametrize("cut", [0, 1, 4, 9])
def test_events_without_id_and_time_have_ids_of_their_own(tmp_path: Path, cut: int) -> None:
    """Otherwise the first events of two files would be one shopper, and intervals would be wrong."""
    events = [{name: value for name, value in event.items() if name != "EventId"} for event in make_events(9, seed=1)]
    whole = write_events(tmp_path / "whole.dsjson", events)
    parts = [
        write_events(tmp_path / f"{name}.dsjson", part) for name, part in (("a", events[:cut]), ("b", events[cut:]))
    ]
    one, several = (FileReader(find_files(list(map(str, paths))), Kind.dsjson, EVALUATED) for paths in ([whole], parts))
    known = [(decision.event_id, decision.shopper_id, decision.at) for decision in one()]
    assert len(set(known)) == len(events)
    for _ in range(2):
        assert [(decision.event_id, decision.shopper_id, decision.at) for decision in several()] == known
