"""The tables of the heads: what each head looks at, and the prior of its weights.

A line is a crossing (`policies.heads.crossings`) and the prior of each of its weights: standard deviation and mean, in
logits. The priors stand for what is known before the first interaction: wide where worlds differ, narrow where a
crossing matters little, so that the crossings share what is learned in the right proportions. Most widths are .4 times
those that one would choose for each line alone: the lines of a head add up, and offline wider ones were over-dispersed.

References
----------
Graepel et al. (2010), Web-scale Bayesian click-through rate prediction (one Gaussian for each weight, one pass);
Chapelle & Li (2011), An empirical evaluation of Thompson sampling (the posterior of the logistic weights).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from policies.heads.crossings import Crossing

TABLES_VERSION = 1
"""Counts up when the same context would give other features. What was learned with another version is refused."""


class Prior(NamedTuple):
    """The prior of a weight: its standard deviation and its mean, in logits, or logits per unit of a number."""

    sd: float
    mean: float = 0.0


@dataclass(frozen=True)
class HeadTable:
    """What a head looks at: logit = ``bias`` + the weights of all crossings, those with a number times the number.

    Raises
    ------
    ValueError
        When there is no line, or a line names no crossing.
    """

    name: str
    bias: float
    lines: Mapping[str, Prior]

    def __post_init__(self) -> None:
        if not self.crossings:
            raise ValueError(f"the head {self.name!r} has no line")

    @cached_property
    def crossings(self) -> tuple[Crossing, ...]:
        """The crossings in the order of the lines."""
        return tuple(Crossing.parse(name) for name in self.lines)


CLICK = HeadTable(
    "click",
    -3.2,
    {
        # the send
        "channel": Prior(0.32),
        "delay": Prior(0.2),
        "message": Prior(0.1),
        "category": Prior(0.08),
        "channel × delay": Prior(0.06),
        "message × channel": Prior(0.04),
        "#delay": Prior(0.16, -0.5),
        # what happened, and about what
        "trigger": Prior(0.24),
        "trigger × message": Prior(0.12),
        "trigger × channel": Prior(0.1),
        "trigger × delay": Prior(0.1),
        "#delay × trigger": Prior(0.14),
        "product_category": Prior(0.06),
        "product_category × trigger": Prior(0.04),
        # who, and when
        "segment": Prior(0.06),
        "segment × channel": Prior(0.04),
        "segment × message": Prior(0.024),
        "caller × channel": Prior(0.024),
        "caller × message": Prior(0.024),
        "hour × channel": Prior(0.1),
        "#presence": Prior(0.12, 0.5),
        "#presence × channel": Prior(0.08),
        # the shopper's history
        "#load": Prior(0.06, -0.15),
        "streak": Prior(0.06),
        "#topic_load": Prior(0.06, -0.15),
        "#own": Prior(0.08, 0.6),
        "#own_channel": Prior(0.08, 0.4),
        "#own_category": Prior(0.08, 0.3),
        "#affinity": Prior(0.08, 0.2),
    },
)
"""A send is clicked."""

OUT = HeadTable(
    "out",
    -5.7,
    {
        "channel": Prior(0.6),
        "#load": Prior(0.2, 0.1),
        "#load_squared": Prior(0.3, 0.4),
        "load_level": Prior(0.2),
        "#presence": Prior(0.12, -0.15),
    },
)
"""A send costs a consent, by an opt-out or a complaint. Events are rare: more lines only add noise. `load_squared` is
a quarter of the squared load. The bias is not below the truth of most shops: a head that starts too low stays so for
weeks."""

_ORDER_LINES = {
    "trigger": Prior(0.6),
    "channel": Prior(0.6),
    "message": Prior(0.1),
    "category": Prior(0.08),
}
"""The action's side only: what is known of the shopper finds those who would buy anyway."""

ORDER_AFTER_CLICK = HeadTable("order_after_click", -1.8, _ORDER_LINES)
"""A clicked send leads to an order. Only clicked sends teach."""

ORDER_WITHOUT_CLICK = HeadTable("order_without_click", -5.0, _ORDER_LINES)
"""A send that was not clicked is followed by an order. Only such sends teach."""

HEADS = (CLICK, OUT, ORDER_AFTER_CLICK, ORDER_WITHOUT_CLICK)
