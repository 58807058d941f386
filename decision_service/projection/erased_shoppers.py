"""Under which key a row of the log is folded, although an erasure may rewrite it at the same time.

Erasure rewrites a shopper's rows under a pseudonym while others fold them. Some rows of one shopper may have been
folded as they were, and the rest come rewritten. All of them must be folded into one state: otherwise a row that takes
a send back would not find the send.
"""

from __future__ import annotations

from collections.abc import Iterable

from decision_service.log.base import EventLog
from decision_service.log.reading import read_rows
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys, is_pseudonym
from policies.records.rows import ErasureRow


class ErasedShoppers:
    """Maps a row's shopper to the key under which the row is folded.

    Rows before an erasure belong to the erased shopper's key, whether they are rewritten or not. Rows that come later
    under the pseudonym, such as a late outcome, belong to the pseudonym.

    Parameters
    ----------
    log
        Where erasures are found: an erasure is committed together with the rows that it rewrites.
    shopper_keys
        The keys of shoppers.
    """

    def __init__(self, log: EventLog, shopper_keys: ShopperKeys) -> None:
        self._log = log
        self._shopper_keys = shopper_keys
        self._erasures: dict[str, tuple[int, ShopperKey]] = {}
        self._read_up_to = 0

    @classmethod
    def stored(cls, log: EventLog) -> ErasedShoppers:
        """Return the erased shoppers of a log that is only read; a log that was never served has none."""
        return cls(log, ShopperKeys((log.read_fact("salt") or "").encode()))

    def knows(self, shopper_ids: Iterable[str]) -> bool:
        """Return whether the keys of these shoppers are known without reading the log."""
        return all(shopper_id in self._erasures for shopper_id in shopper_ids if is_pseudonym(shopper_id))

    def look(self) -> None:
        """Read the erasures that were written since the last look.

        Raises
        ------
        LogUnavailable
            When the log cannot be read.
        """
        for stored in read_rows(self._log, self._read_up_to, kinds=(ErasureRow.kind,)):
            if isinstance(stored.row, ErasureRow):
                self._erasures[stored.row.shopper_id] = stored.position, ShopperKey(stored.row.key)
            self._read_up_to = stored.position

    def key_of(self, position: int, shopper_id: str) -> ShopperKey:
        """Return the key under which the row at a position is folded.

        Raises
        ------
        LogUnavailable
            When the log must be read for an unknown pseudonym, and cannot be.
        """
        if not self.knows([shopper_id]):
            self.look()
        erased_at, key = self._erasures.get(shopper_id, (0, None))
        return key if key is not None and position <= erased_at else self._shopper_keys.key(shopper_id)
