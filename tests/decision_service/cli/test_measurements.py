"""Files of results: whether they can be written is known before the work begins."""

from __future__ import annotations

from pathlib import Path

from decision_service.cli.measurements import check_writable


def test_a_file_that_can_be_written_is_left_as_it_is_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    check_writable(json=tmp_path / "old.json", report=tmp_path / "new.html")
    assert [file.name for file in tmp_path.iterdir()] == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "old"
