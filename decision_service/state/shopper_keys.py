"""Salted keys under which shoppers' states are kept, and pseudonyms that erasure leaves."""

from __future__ import annotations

import hashlib
from typing import NewType

from ulid import ULID

from policies.records.erasure import ERASED, is_pseudonym

__all__ = ["ERASED", "ShopperKey", "ShopperKeys", "is_pseudonym", "pseudonym"]

ShopperKey = NewType("ShopperKey", str)
"""The salted hash of a shopper's id; after an erasure nothing else of the id is left."""


class ShopperKeys:
    """Makes the keys of shoppers.

    Parameters
    ----------
    salt
        A secret stored with the data, at most 64 bytes: without it keys cannot be matched with guessed ids.

    Examples
    --------
    >>> shopper_keys = ShopperKeys(b"secret")
    >>> shopper_keys.key("s-1") == shopper_keys.key("s-1") != ShopperKeys(b"other").key("s-1")
    True
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def key(self, shopper_id: str) -> ShopperKey:
        digest = hashlib.blake2b(shopper_id.encode("utf-8", "surrogatepass"), digest_size=16, key=self._salt)
        return ShopperKey(digest.hexdigest())


def pseudonym() -> str:
    """Return a new random pseudonym."""
    return f"{ERASED}{ULID()}"
