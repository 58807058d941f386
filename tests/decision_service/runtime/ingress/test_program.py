"""The copy of HAProxy: problem documents in the places of its fixed texts, and nothing else changed."""

from __future__ import annotations

import json
import subprocess
from http import HTTPStatus
from pathlib import Path

import pytest

from decision_service.runtime import haproxy
from decision_service.runtime.ingress.program import copy_program, replace_text

FIXED = b"HTTP/1.1 400 Bad request\r\nContent-Type: text/html\r\n\r\n<html>" + b"." * 150 + b"</html>\n"
PROGRAM = haproxy.find_binary()


def test_a_fixed_text_becomes_a_problem_of_the_same_length() -> None:
    binary = b"\x7fELF before\0" + FIXED + b"\0after"
    replaced = replace_text(binary, HTTPStatus.BAD_REQUEST)
    assert len(replaced) == len(binary)
    assert replaced.startswith(b"\x7fELF before\0HTTP/1.1 400 ")
    assert replaced.endswith(b"\0after")
    head, _, body = replaced[11:-6].partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body)["status"] == 400


@pytest.mark.parametrize("binary", [b"\0nothing\0", b"\0HTTP/1.1 400 Bad request, and a text too short\0"])
def test_a_binary_without_room_for_a_problem_stays_as_it_is(binary: bytes) -> None:
    assert replace_text(binary, HTTPStatus.BAD_REQUEST) == binary


@pytest.mark.skipif(PROGRAM is None, reason="there is no HAProxy on this platform")
def test_the_copy_runs_and_differs_in_its_texts_alone(tmp_path: Path) -> None:
    assert PROGRAM is not None
    copy = copy_program(PROGRAM, tmp_path)
    versions = [subprocess.run([path, "-v"], capture_output=True, check=True).stdout for path in (PROGRAM, copy)]
    assert versions[0] == versions[1]
    before, after = PROGRAM.read_bytes(), copy.read_bytes()
    assert len(before) == len(after)
    assert 0 < sum(old != new for old, new in zip(before, after, strict=True)) < 1_000
