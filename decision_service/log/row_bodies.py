"""The form in which the log stores the body of a row: compressed JSON for a decision, plain JSON for other rows.

The body of a decision is long, and most of it is names and words that other decisions have as well. A dictionary of
these words, the file beside this one, makes the body five times smaller. Writing less saves more than the compression
costs.

A compressed body is a Zstandard frame (RFC 8878) with a checksum, and it names its dictionary. Any other body is JSON,
as earlier versions stored it. A dictionary never changes, because stored bodies need it. A better dictionary is a
second file with the next id.
"""

from __future__ import annotations

import threading
from pathlib import Path

import zstandard

from policies.records.rows import DecisionRow, Row, encode

_FRAME = b"\x28\xb5\x2f\xfd"
"""The first bytes of every frame."""

_PARAMETERS = zstandard.ZstdCompressionParameters.from_level(1, write_checksum=True, write_dict_id=True)
"""Those of level 1 for long texts: with the dictionary they write bodies smaller and faster than those for short texts,
which the library would take by itself."""

_LARGEST = 1 << 28
"""No body has more bytes: a damaged frame may claim any size, and the memory would be taken before it is read."""

_DICTIONARY = zstandard.ZstdCompressionDict(Path(__file__).with_name("decision_bodies_1.dictionary").read_bytes())
_DICTIONARY.precompute_compress(compression_params=_PARAMETERS)


class DamagedBody(ValueError):
    """A compressed body cannot be read."""


class _Codec(threading.local):
    """A compressor and a decompressor for each thread: neither may be shared."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(dict_data=_DICTIONARY, compression_params=_PARAMETERS).compress
        self.decompress = zstandard.ZstdDecompressor(dict_data=_DICTIONARY).decompress


_codec = _Codec()


def encode_body(row: Row) -> bytes:
    """Return the body of a row as the log stores it.

    >>> from policies.records.rows import ClockRow
    >>> encode_body(ClockRow(at=12.5))
    b'{"row":"clock","at":12.5}'
    """
    body = encode(row)
    return _codec.compress(body) if isinstance(row, DecisionRow) else body


def decode_body(body: object) -> bytes:
    """Return a stored body as JSON.

    Raises
    ------
    DamagedBody
        When the body is no bytes, which SQLite allows, or when it is compressed and cannot be read.
    """
    if not isinstance(body, bytes):
        raise DamagedBody(f"the body of a row is damaged: it is {type(body).__name__}, not bytes")
    if not body.startswith(_FRAME):
        return body
    try:
        _check_frame(body)
        return _codec.decompress(body)
    except zstandard.ZstdError as error:
        raise DamagedBody(f"the body of a row is damaged: {error}") from error


def _check_frame(body: bytes) -> None:
    """Refuse a frame whose beginning is damaged: the checksum, which finds all other damage, is switched off there."""
    frame = zstandard.get_frame_parameters(body)
    if not frame.has_checksum:
        raise zstandard.ZstdError("it has no checksum")
    if not 0 < frame.content_size <= _LARGEST:  # of an empty body nothing would be read, and no checksum compared
        raise zstandard.ZstdError(f"it claims to have {frame.content_size} bytes")
