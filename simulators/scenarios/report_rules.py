"""The rules of a shop's reports: how the reports differ from the events of the world.

A real shop does not learn which message caused an order. Its tools credit orders to messages by a rule, open messages
by machine, and lose, delay or repeat what they report. `simulators.reports` applies these rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulators.scenarios.number_fields import check_numbers, number, probability

Attribution = Literal["cause", "last_touch", "any_touch"]
Touch = Literal["delivery", "open", "click"]

ATTRIBUTIONS: tuple[Attribution, ...] = ("cause", "last_touch", "any_touch")
TOUCHES: tuple[Touch, ...] = ("delivery", "open", "click")


@dataclass(frozen=True)
class ReportRules:
    """Rules for the reports that a shop gets; by default the reports are true.

    Attributes
    ----------
    attribution
        Which sends an order is credited to. ``cause``: the send that caused the order; no other order is credited.
        ``last_touch``: the last send that touched the shopper within the window before the order. ``any_touch``:
        every such send. Both also credit orders that would have come anyway.
    touch
        What counts as a touch: the delivery of a send, its open, or its click. A click is an open, too. Where opens are
        not reported (all channels but e-mail), a click is the first sign of an open.
    net_of_refunds
        Whether the shop hears of refunds: values are net of refunds, or else gross.

    Raises
    ------
    ValueError
        When a field has an impossible value; the message names the field.

    Examples
    --------
    >>> ReportRules(missing=1.5)
    Traceback (most recent call last):
    ValueError: missing must lie between 0 and 1, not 1.5
    """

    attribution: Attribution = "cause"
    touch: Touch = "delivery"
    window_h: float = number(168.0, "hours from a touch to the last order that is credited to the send")
    net_of_refunds: bool = True
    machine_opens: float = probability(0.0, "share of shoppers whose mail program opens every e-mail when it arrives")
    machine_clicks: float = probability(0.0, "share of shoppers whose mail scanner clicks in every e-mail")
    missing: float = probability(0.0, "share of opens, clicks, orders and refunds that are never reported")
    late: float = probability(0.0, "share of them that are reported late")
    late_h: float = number(24.0, "mean hours by which these are late")
    repeated: float = probability(0.0, "share of them that are reported twice")
    wrong_zones: float = probability(0.0, "share of shoppers whose times are reported in a wrong time zone")
    zone_error_h: float = number(0.0, "hours that are added to these times", least=-24.0, most=24.0)
    recognised: float = probability(1.0, "share of visits in which the shop recognises the shopper")

    def __post_init__(self) -> None:
        if self.attribution not in ATTRIBUTIONS:
            raise ValueError(f"attribution must be one of {', '.join(ATTRIBUTIONS)}, not {self.attribution!r}")
        if self.touch not in TOUCHES:
            raise ValueError(f"touch must be one of {', '.join(TOUCHES)}, not {self.touch!r}")
        check_numbers(self)
        if self.missing + self.late > 1.0:
            raise ValueError("missing and late must not sum to more than 1")


TRUE_REPORTS = ReportRules()
"""The reports are true: the shop knows every event and the cause of every order."""
