"""Messages reach the person in every locale, and a command goes on when nobody can read them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PRINTING = """
from decision_service.cli.messages import print_error, print_line
for _ in range(3):
    print_line("Starting Redis …")
    print_error("no")
"""
LATIN = "en_US.ISO-8859-1"


def _run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=os.environ | changes, capture_output=True)


def test_a_full_disk_under_the_output_is_no_error() -> None:
    with open("/dev/full", "w") as full:
        assert subprocess.run([sys.executable, "-c", PRINTING], cwd=ROOT, stdout=full, stderr=full).returncode == 0


def test_a_reader_that_left_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert subprocess.run([sys.executable, "-c", PRINTING], cwd=ROOT, stdout=writer, stderr=writer).returncode == 0
    os.close(writer)


def _complain_of_port(**locale: str) -> str:
    done = _run("-m", "decision_service", "serve", "--port", "ünf…", **locale)
    assert done.returncode == 2
    return done.stderr.decode("utf-8")


@pytest.mark.parametrize("utf8", ["0", "1", ""])
def test_text_is_utf8_without_a_locale(utf8: str) -> None:
    assert "not 'ünf…'" in _complain_of_port(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8=utf8)


def test_text_is_utf8_in_a_latin_locale(tmp_path: Path) -> None:
    made = subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", tmp_path / LATIN], capture_output=True)
    if made.returncode > 1:  # 1: with warnings
        pytest.skip("this machine cannot make the locale")
    locale = {"LOCPATH": str(tmp_path), "LC_ALL": LATIN}
    assert b"iso8859-1" in _run("-c", "import sys; print(sys.getfilesystemencoding())", **locale).stdout
    assert "not 'ünf…'" in _complain_of_port(**locale)
