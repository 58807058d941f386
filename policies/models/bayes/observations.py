"""What the reward of a send says to each head, and of the value of its orders."""

from __future__ import annotations

from policies.heads.learner import Observation
from policies.heads.order_value import SendOrders
from policies.heads.tables import CLICK, ORDER_AFTER_CLICK, ORDER_WITHOUT_CLICK, OUT
from policies.learning.interactions import Interaction
from policies.learning.reward import RewardBreakdown
from policies.records.rows import Context
from policies.shopper.summaries import Responses

_LEAST_ORDER = 0.01
"""Orders of less, in the shop's currency, are what rounding leaves of refunded ones."""

_MACHINE_RATE = Responses(sends=5.0, clicks=4.0).rate()


def observe(result: RewardBreakdown | None) -> dict[str, Observation]:
    """Return what each head observes of a send; a head that is left out observes nothing.

    Whether the send led to an order is observed by one of two heads: the one for clicked sends, or the one for the
    others. So a late click moves the observation from one to the other.

    >>> clicked = RewardBreakdown(0.1, 0.1, opted_out=False, complaint_loss=0.0, clicked=True, orders=0.0)
    >>> [name for name, observation in observe(clicked).items() if observation.positives]
    ['click']
    """
    if result is None:
        return {}
    ordered = Observation(float(result.orders >= _LEAST_ORDER))
    return {
        CLICK.name: Observation(float(result.clicked)),
        OUT.name: Observation(float(result.opted_out)),
        (ORDER_AFTER_CLICK if result.clicked else ORDER_WITHOUT_CLICK).name: ordered,
    }


def find_order(result: RewardBreakdown | None, message: str, price: float | None) -> SendOrders | None:
    """Return the orders of a send of a message, None without an order."""
    if result is None or result.orders < _LEAST_ORDER:
        return None
    return SendOrders(result.orders, message, price)


def is_of_machine(interaction: Interaction) -> bool:
    """Return whether a machine seems to answer the sends of the shopper, as the row knew before the send.

    Scanners of mail programs click nearly everything; they never buy and never leave. The sign is a click rate, of the
    shopper or on the send's channel, of at least the one of four clicks in five sends. The row has the rate after
    shrinkage, so a shopper with more sends is taken for a machine from a lower rate on, but never below 29 %.
    """
    names = "click_rate", f"click_rate_{interaction.action.channel}"
    return any(_number(interaction.context, name) >= _MACHINE_RATE for name in names)


def _number(context: Context, name: str) -> float:
    value = context.get(name, 0.0)
    return 0.0 if isinstance(value, bool | str) else value
