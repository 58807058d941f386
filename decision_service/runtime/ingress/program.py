"""A copy of HAProxy whose fixed answers are problem documents.

HAProxy before version 3.2 answers a request that it cannot parse, or whose headers are late, in fixed texts that no
setting changes (https://github.com/haproxy/haproxy/issues/3032). The copy has other texts of the same length in their
places. A HAProxy without these texts is used as it is.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

from decision_service.runtime.ingress.problems import build_response

_STATUSES = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.INTERNAL_SERVER_ERROR)


def copy_program(program: Path, directory: Path) -> Path:
    """Copy HAProxy into the directory with other texts, and return the copy; it finds its libraries as before."""
    binary = program.read_bytes()
    for status in _STATUSES:
        binary = replace_text(binary, status)
    copy = directory / "haproxy"
    copy.write_bytes(binary)
    copy.chmod(0o700)
    libraries = directory / "lib"  # the binary looks for libraries beside itself
    if not libraries.exists():
        libraries.symlink_to(program.resolve().parent / "lib")
    return copy


def replace_text(binary: bytes, status: HTTPStatus) -> bytes:
    """Replace the fixed answer of a status, which ends with a zero byte, by a problem document of the same length."""
    fixed = re.search(rb"HTTP/1\.1 %d [^\0]{20,}(?=\0)" % status.value, binary)
    if fixed is None:
        return binary
    length = fixed.end() - fixed.start()
    text = build_response(status, "", length=length)
    return binary[: fixed.start()] + text + binary[fixed.end() :] if len(text) == length else binary
