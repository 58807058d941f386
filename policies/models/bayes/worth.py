"""From probabilities to scores: what a send is expected to earn, and what the send costs.

score = p_click · (click + margin · P(order | click) · E[value])
        + view-through · margin · (1 - p_click) · P(order | no click) · E[value]
        - costs - p_out · (consent value + mean complaint loss + prices) - ν · g(load at the time of the send)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.catalogue.rulebook import Rulebook
from policies.heads.features import Features
from policies.heads.posterior import PlaceValues
from policies.heads.tables import CLICK, ORDER_AFTER_CLICK, ORDER_WITHOUT_CLICK, OUT
from policies.models.bayes.prices import PriceOfSend
from policies.models.bayes.snapshot import BayesSnapshot


@dataclass(frozen=True)
class RequestWorth:
    """What differs by request (r), and is not uncertain.

    Parameters
    ----------
    order_factors
        (r,), how many times the usual value an order has.
    costs
        (r, n), what each send costs whatever happens, now and later.
    """

    order_factors: FloatArray
    costs: FloatArray

    def part(self, rows: slice) -> RequestWorth:
        """Return the same for some of the requests."""
        return RequestWorth(self.order_factors[rows], self.costs[rows])


@dataclass(frozen=True)
class SendWorth:
    """What sends (n,) of a catalogue version are worth, by a model version.

    Parameters
    ----------
    click
        The reward of a click.
    order_gains
        (n,), the margin that an order after each send brings at the usual price.
    view_through
        The share of that which an order without a click brings.
    out_price
        What a lost consent costs.
    """

    click: float
    order_gains: FloatArray
    view_through: float
    out_price: float

    @classmethod
    def of(cls, snapshot: BayesSnapshot, rulebook: Rulebook, prices: PriceOfSend) -> SendWorth:
        """Return the worth by a model version and the catalogue's reward."""
        reward, space = rulebook.catalogue.reward, rulebook.space
        values = np.array([snapshot.order_value.value(message, None) for message in space.messages])
        return cls(
            click=reward.click,
            order_gains=reward.margin * values[space.message_of],
            view_through=reward.view_through,
            out_price=reward.consent_value + snapshot.complaint_loss + prices.of_opt_out,
        )

    def score(self, probabilities: Mapping[str, PlaceValues], requests: RequestWorth) -> FloatArray:
        """Return the scores (r, m, n) of sends, from the probabilities of the heads under m models.

        The heads for orders and for opt-outs have fewer places than there are sends: their part is computed in these.
        """
        with_click = self._order_gains(probabilities[ORDER_AFTER_CLICK.name], requests)
        without_click = self._order_gains(probabilities[ORDER_WITHOUT_CLICK.name], requests)
        scores = PlaceValues(with_click.values + self.click, with_click.place_of).spread()
        otherwise = PlaceValues(without_click.values * self.view_through, without_click.place_of).spread()
        scores -= otherwise
        scores *= probabilities[CLICK.name].spread()
        scores += otherwise
        out = probabilities[OUT.name]
        scores -= PlaceValues(out.values * self.out_price, out.place_of).spread()
        scores -= requests.costs[:, None, :]
        return scores

    def _order_gains(self, orders: PlaceValues, requests: RequestWorth) -> PlaceValues:
        """Return what the probabilities of an order are worth, in the places of the head."""
        gains = _at_places(self.order_gains, orders.place_of)
        return PlaceValues(orders.values * (gains * requests.order_factors[:, None])[:, None, :], orders.place_of)


def request_worth(
    snapshot: BayesSnapshot,
    prices: Sequence[float | None],
    features: Sequence[Features],
    rulebook: Rulebook,
    price_of_send: PriceOfSend,
) -> RequestWorth:
    """Return what orders of the products with these prices are worth, and what sends cost whatever happens."""
    space, fit = rulebook.space, snapshot.order_value
    factors = np.array([fit.price_factor(price) for price in prices], dtype=np.float64)
    costs = np.broadcast_to(rulebook.costs, (len(features), len(space)))
    if price_of_send.load > 0.0:
        loads = np.array([request.numbers_of("load", space.delays_s) for request in features], dtype=np.float64)
        costs = costs + price_of_send.of_load(loads.reshape(len(features), -1))[:, space.delay_of]
    return RequestWorth(factors, costs)


def _at_places(values: FloatArray, place_of: IntArray | None) -> FloatArray:
    """Return values of the sends (n,) at the places of a head, all of whose sends have the same value."""
    if place_of is None:
        return values
    places = np.zeros(int(place_of.max(initial=-1)) + 1)
    places[place_of] = values
    return places
