"""ErasedShoppers: whose state a row of the log is folded into.

Erasure rewrites a shopper's rows under a pseudonym while others fold them: some rows of one shopper may have been
folded as they were, and the rest come rewritten. They must meet in one state, or a send that a later row takes back
would be looked for where it is not.
"""

from __future__ import annotations

from collections.abc import Iterable

from decision_service.log.base import EventLog
from decision_service.log.reading import read_rows
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys, is_pseudonym
from policies.records.rows import ErasureRow


class ErasedShoppers:
    """Tells the key under which a row's shopper is folded.

    Rows before an erasure belong to the erased shopper's key, whether they are rewritten or not. What comes after
    it under the pseudonym, such as a late outcome, belongs to nobody else any more.

    Parameters
    ----------
    log
        Where erasures are found: an erasure is committed with the rows that it rewrites.
    shopper_keys
        Gives the keys of shoppers.
    """

    def __init__(self, log: EventLog, shopper_keys: ShopperKeys) -> None:
        self._log = log
        self._shopper_keys = shopper_keys
        self._erasures: dict[str, tuple[int, ShopperKey]] = {}
        self._read_up_to = 0

    @classmethod
    def stored(cls, log: EventLog) -> ErasedShoppers:
        """Tell them of a log that is only read; one that was never served has no erasures."""
        return cls(log, ShopperKeys((log.read_fact("salt") or "").encode()))

    def knows(self, shopper_ids: Iterable[str]) -> bool:
        """Tell whether these can be told without reading the log."""
        return all(name in self._erasures for name in shopper_ids if is_pseudonym(name))

    def look(self) -> None:
        """Read the erasures that have come since the last look.

        Raises
        ------
        LogUnavailable
            When the log cannot be read.
        """
        for stored in read_rows(self._log, self._read_up_to, kinds=(ErasureRow.kind,)):
            if isinstance(stored.row, ErasureRow):
                self._erasures[stored.row.shopper_id] = stored.position, ShopperKey(stored.row.key)
            self._read_up_to = stored.position

    def of(self, position: int, shopper_id: str) -> ShopperKey:
        """Give the key under which a row at a position is folded.

        Raises
        ------
        LogUnavailable
            When an erasure is not known yet, and the log cannot be read.
        """
        if not self.knows([shopper_id]):
            self.look()
        erased_at, key = self._erasures.get(shopper_id, (0, None))
        return key if key is not None and position <= erased_at else self._shopper_keys.key(shopper_id)
