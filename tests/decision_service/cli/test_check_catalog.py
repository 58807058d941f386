"""The command that names every mistake of a catalogue file, and the start that refuses such a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from decision_service.catalogues import file as catalogue_file
from decision_service.cli.check_catalog import run

EXAMPLE = Path(catalogue_file.__file__).with_name("example.yaml")
WRONG = "delays_s: [0]\nchannels: {}\ntriggers: {no: {expires_s: 60}}\nmessages: {}\n"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text(WRONG)
    return path


def test_a_valid_catalogue_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(EXAMPLE, as_json=False) == 0
    assert "valid: 16 messages, 5 channels, 15 triggers, 228 joint actions" in capsys.readouterr().out


def test_mistakes_are_printed_by_line(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(wrong, as_json=False) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{wrong}:3: triggers.no: YAML reads the key no as true or false: write it in quotes\n" in printed.err
    assert f"{wrong}:2: channels: " in printed.err


def test_mistakes_are_printed_as_json(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(wrong, as_json=True) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["file"], result["valid"]) == (str(wrong), False)
    assert {"channels", "messages", "triggers.no"} == {mistake["path"] for mistake in result["mistakes"]}
    assert run(EXAMPLE, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(EXAMPLE), "valid": True, "mistakes": []}


def test_a_file_that_cannot_be_read_is_another_thing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none.yaml", as_json=False) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert run(tmp_path / "none.yaml", as_json=True) == 2
    assert "cannot be read" in json.loads(capsys.readouterr().out)["error"]


def test_serve_names_every_mistake_before_it_starts_anything(wrong: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "decision_service", "serve", "--catalog", str(wrong), "--data-dir", str(data)]
    served = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert served.returncode == 2
    assert f"{wrong}:3: triggers.no: YAML reads the key no as true or false" in served.stderr
    assert "Traceback" not in served.stderr
    assert not data.exists(), "nothing was started"
