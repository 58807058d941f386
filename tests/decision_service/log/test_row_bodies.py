"""How bodies are stored: what one version wrote, every later version reads."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

import decision_service.log.row_bodies
from decision_service.log.row_bodies import DamagedBody, decode_body, encode_body
from policies.records.rows import DecisionRow, Row, encode
from tests.decision_service.log.rows import decision, rows

STORED = bytes.fromhex(
    "28b52ffd2501e2950100686573313172756c656c6976227d0cfc770977470df50a707d099fdec3381f138b778d572bc73c38c64f53e2cf65a5842f"
    "0189bdf03b"
)
"""A decision as the first version with compressed bodies stored it."""


@given(row=rows)
def test_a_stored_body_is_read_as_the_json_of_its_row(row: Row) -> None:
    stored = encode_body(row)
    assert decode_body(stored) == encode(row)
    assert (stored == encode(row)) == (not isinstance(row, DecisionRow))


def test_a_body_of_an_earlier_version_is_read_as_it_is() -> None:
    body = encode(decision(1.0, "e1"))
    assert decode_body(body) == body


def test_a_body_that_was_stored_once_is_read_for_ever() -> None:
    assert decode_body(STORED) == encode(decision(1.0, "e1"))


def test_a_compressed_body_names_its_dictionary() -> None:
    """A later version with a second dictionary must know which one reads a body."""
    frame = zstandard.get_frame_parameters(encode_body(decision(1.0, "e1")))
    assert (frame.dict_id, frame.has_checksum) == (1, True)


def test_the_dictionary_never_changes() -> None:
    """Bodies in the logs of shops need it: better words are a second dictionary with the next id."""
    file = Path(decision_service.log.row_bodies.__file__).with_name("decision_bodies_1.dictionary")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest == "1624961f4ac973f6737d55504c079ce84954b55192f498dcff0382f9810f630a"


@pytest.mark.parametrize("damaged", [STORED[:-1], STORED[:20], STORED[:30] + b"??" + STORED[32:], "text", None])
def test_a_damaged_body_is_not_read_as_another_one(damaged: object) -> None:
    with pytest.raises(DamagedBody, match="the body of a row is damaged"):
        decode_body(damaged)


@given(place=st.integers(4, len(STORED) - 1), changes=st.binary(min_size=1, max_size=5))
@example(place=4, changes=b"\xe5")  # a size of eight bytes
@example(place=4, changes=b"\x21")  # no checksum
@example(place=6, changes=b"\x00")  # no content
def test_no_damage_behind_the_first_bytes_gives_another_body(place: int, changes: bytes) -> None:
    damaged = (STORED[:place] + changes + STORED[place + len(changes) :])[: len(STORED)]
    try:
        body = decode_body(damaged)
    except DamagedBody:
        return
    assert body == decode_body(STORED)


def test_many_threads_compress_and_read_at_once() -> None:
    decisions = [decision(float(number), f"e{number}", "s" * (number % 50)) for number in range(2_000)]
    with ThreadPoolExecutor(8) as threads:
        bodies = list(threads.map(lambda row: decode_body(encode_body(row)), decisions))
    assert bodies == list(map(encode, decisions))
