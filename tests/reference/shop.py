"""A shop in this process that keeps its log: it decides, folds and checks activations, one call after the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook, millionths
from policies.decide import decide
from policies.decision_row import decision_row
from policies.models.policy import Policy
from policies.models.uniform import uniform_policy
from policies.records.outcomes import OutcomeType
from policies.records.request import Request
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    DecisionRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    Row,
    ShopperRow,
    TriggerRecord,
)
from policies.records.withholding import withheld_paths
from policies.rules.activation import refusal
from policies.rules.budget import utc_day
from policies.shopper.fold import fold
from policies.shopper.state import ShopperState


class Shop:
    """Does what the service does, without stores: every row is folded before the next call."""

    def __init__(self, document: dict[str, Any], policy: Policy | None = None, seed: bytes = b"shop") -> None:
        self.rulebook = Rulebook.of(Catalogue.from_document(document), 1)
        self.rows: list[Row] = [CatalogueRow(0.0, 1, self.rulebook.catalogue.to_document())]
        self.states: dict[str, ShopperState] = defaultdict(ShopperState)
        self.decisions: dict[str, DecisionRow] = {}
        self._policy = policy or uniform_policy()
        self._seed = seed

    @property
    def log(self) -> list[tuple[int, Row]]:
        return list(enumerate(self.rows, start=1))

    @property
    def now(self) -> float:
        """The latest time of a row."""
        return max(row.at for row in self.rows)

    @property
    def sent(self) -> list[DecisionRow]:
        return [row for row in self.decisions.values() if row.is_delivered]

    def costs(self, now: float) -> Counter[tuple[str, int]]:
        """Return the costs of the sends so far by channel and UTC day, in millionths."""
        spent: Counter[tuple[str, int]] = Counter()
        for state in self.states.values():
            for send in state.sends:
                if not send.has_expired(now):
                    spent[send.channel, utc_day(send.paid_at)] += millionths(send.cost)
        return spent

    def trigger(self, kind: str, now: float, **changes: Any) -> TriggerRecord:
        known = self.rulebook.catalogue.triggers[kind]
        values: dict[str, Any] = {
            "priority": known.priority,
            "critical": known.critical,
            "expires_at": now + known.expires_s,
            "ends_on": known.ends_on,
        }
        return TriggerRecord(kind, **values | changes)

    def decide(self, shopper_id: str, triggers: Sequence[TriggerRecord], now: float, **changes: Any) -> DecisionRow:
        event_id = changes.pop("event_id", f"e-{len(self.rows)}")
        request = Request(event_id, shopper_id, tuple(triggers), now, changes.pop("context", {}), **changes)
        spent = self.costs(now)
        decision = decide(request, self.states[shopper_id], self.rulebook, self._policy, self._seed, spent)
        row = decision_row(decision)
        self.decisions[event_id] = row
        self._append(row)
        return row

    def replace_catalogue(self, document: dict[str, Any], now: float) -> None:
        catalogue = Catalogue.from_document(document)
        self.rulebook = Rulebook.of(catalogue, self.rulebook.version + 1)
        self.rows.append(CatalogueRow(now, self.rulebook.version, catalogue.to_document()))

    def record_outcome(self, event_id: str, kind: OutcomeType, now: float, *, permanent: bool = False) -> None:
        decision = self.decisions[event_id]
        row = OutcomeRow(
            at=now,
            event_id=event_id,
            type=kind,
            occurred_at=now,
            shopper_id=decision.shopper_id,
            channel=decision.channel,
            permanent=permanent,
        )
        if decision.channel is not None and any(withheld_paths(row)):
            names = self.rulebook.former_names.names_of_channel(decision.channel)
            row = replace(row, aliases=tuple(name for name in names if name != decision.channel))
        self._append(row)

    def observe(self, shopper_id: str, kind: str, now: float, occurred_at: float) -> None:
        """Report something that the shopper did."""
        self._append(EventRow(now, shopper_id, kind, occurred_at))

    def prefer(self, shopper_id: str, now: float, **changes: Any) -> None:
        """Take a shopper's words; what was renamed stands in the row under all its names."""
        for field in {"consent", "reachable"} & changes.keys():
            changes[field] = self._under_all_names(changes[field])
        if "muted_categories" in changes:
            names_of = self.rulebook.former_names.names_of_category
            muted = (name for category in changes["muted_categories"] for name in names_of(category))
            changes["muted_categories"] = tuple(dict.fromkeys(muted))
        self._append(PreferencesRow(now, shopper_id, **changes))

    def _under_all_names(self, words: Mapping[str, bool | None]) -> dict[str, bool | None]:
        """Return words about channels under all names; where two channels became one, what withholds wins."""
        names_of, said = self.rulebook.former_names.names_of_channel, dict[str, bool | None]()
        for channel, word in words.items():
            said |= {name: False if said.get(name) is False else word for name in names_of(channel)}
        return said

    def activate(self, event_id: str, now: float) -> bool:
        row = self.decisions[event_id]
        refused = refusal(row, self.states[row.shopper_id], self.rulebook, now)
        if refused is not None and not refused.stands:
            return False
        deliver, reason = refused is None, None if refused is None else refused.reason
        self._append(
            ActivationRow(
                at=now,
                event_id=event_id,
                shopper_id=row.shopper_id,
                deliver=deliver,
                reason=reason,
                left_at=now if deliver else None,
            )
        )
        return deliver

    def cancel(self, event_id: str, now: float) -> None:
        self._append(CancellationRow(now, event_id, self.decisions[event_id].shopper_id))

    def _append(self, row: ShopperRow) -> None:
        self.rows.append(row)
        assert row.shopper_id is not None
        self.states[row.shopper_id] = fold(self.states[row.shopper_id], row)
