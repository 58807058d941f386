"""The folds of shoppers: who may be reached on which channel at a time, and who bought in a span."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from decision_service.queries.report.figures import ratio
from decision_service.queries.report.span import Span
from decision_service.state.shopper_keys import ShopperKey, is_pseudonym
from policies.catalogue.document import Catalogue
from policies.catalogue.former_names import FormerNames
from policies.records.rows import CatalogueRow, ErasureRow, EventRow, OutcomeRow, PreferencesRow, Row, ShopperRow
from policies.rules.consent import consents
from policies.sends.concerns import is_withdrawal
from policies.shopper.fold import fold
from policies.shopper.renames import rename_state
from policies.shopper.state import NEW_SHOPPER, ShopperState


class OptIns:
    """Folds who consents to what, by the rows dated before the end of a span.

    Shoppers are counted by the ``key`` of their id, because nothing else is left of an erased shopper: so an erased
    shopper counts once, whatever the pseudonyms, and consents to nothing until preferences say so again.

    Memory grows with the number of shoppers.
    """

    def __init__(self, span: Span, key: Callable[[str], ShopperKey]) -> None:
        self._span = span
        self._key = key
        self._known: set[ShopperKey] = set()
        self._said: dict[ShopperKey, ShopperState] = {}
        self._catalogue: Catalogue | None = None

    @property
    def known(self) -> int:
        """How many shoppers the log knows."""
        return len(self._known)

    def meet(self, shopper_id: str, at: float) -> None:
        """Count a shopper whom a row is about."""
        if at < self._span.end and not is_pseudonym(shopper_id):
            self._known.add(self._key(shopper_id))

    def add(self, row: Row) -> None:
        """Fold one row."""
        if row.at >= self._span.end:
            return
        if isinstance(row, CatalogueRow):
            self._catalogue = Catalogue.from_stored(row.document)
        elif isinstance(row, ErasureRow):
            self._known.add(ShopperKey(row.key))
            self._fold(ShopperKey(row.key), row)
        elif isinstance(row, PreferencesRow) or (isinstance(row, OutcomeRow) and is_withdrawal(row)):
            self._fold(self._key(row.shopper_id or ""), row)

    def _fold(self, key: ShopperKey, row: ShopperRow) -> None:
        self._said[key] = fold(self._said.get(key, NEW_SHOPPER), row)

    def rates(self) -> dict[str, float | None]:
        """Return the share of the known shoppers who consent, by channel of the catalogue in force."""
        catalogue = self._catalogue
        if catalogue is None:
            return {}
        return {channel: ratio(self._consenting(channel, catalogue), self.known) for channel in catalogue.channels}

    def _consenting(self, channel: str, catalogue: Catalogue) -> int:
        unsaid, names = catalogue.consents(channel), FormerNames.of(catalogue)
        states = (rename_state(state, names) for key, state in self._said.items() if key in self._known)
        said = [consents(state, channel, unsaid) for state in states]
        return sum(said) + unsaid * (self.known - len(said))


class Orders:
    """Folds the purchases dated within a span; memory grows with the number of buyers."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._by_shopper: Counter[str] = Counter()
        self._valued = 0
        self._value = 0.0

    def add(self, row: EventRow) -> None:
        """Count a shopper event, if it is a purchase of the span."""
        if row.type == "purchase" and row.occurred_at in self._span:
            self._by_shopper[row.shopper_id] += 1
            value = row.attributes.get("value")
            if isinstance(value, int | float):
                self._valued += 1
                self._value += value

    @property
    def count(self) -> int:
        """How many orders there were."""
        return self._by_shopper.total()

    @property
    def repeat_rate(self) -> float | None:
        """The share of the buyers who bought more than once; None without buyers."""
        return ratio(sum(count > 1 for count in self._by_shopper.values()), len(self._by_shopper))

    @property
    def average_value(self) -> float | None:
        """The mean value of the orders that have one, as those of erased shoppers do not; None without such orders."""
        return ratio(self._value, self._valued)
