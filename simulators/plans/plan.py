"""The plan of the planner in a scenario: what a consent is worth there, and the planner's prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from simulators.shops.later_costs import ConsentWorth, Prices


@dataclass(frozen=True)
class Plan:
    """What a consent is worth in a scenario, and the prices of the planner."""

    worth: ConsentWorth
    prices: Prices

    def to_document(self) -> dict[str, Any]:
        """Return the plan as JSON stores it."""
        return {"worth": dict(self.worth), "prices": asdict(self.prices)}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Plan:
        """Read a plan that `to_document` wrote."""
        return cls(dict(document["worth"]), Prices(**document["prices"]))
