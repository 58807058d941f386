"""What a send costs later, in prices."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.rulebook import Rulebook


class PriceOfSend(msgspec.Struct, frozen=True):
    """Prices of what a send spoils for later sends.

    Parameters
    ----------
    load
        ν: what a send to a shopper with a load of 1 costs the later sends; 0 where load has no price.
    opt_out
        λ: what an expected opt-out costs beyond the consent, where opt-outs have a budget.
    consents
        What a consent still earns, by channel. A channel that is not named has the catalogue's consent value.
    """

    load: float = 0.0
    opt_out: float = 0.0
    consents: Mapping[str, float] = {}

    def of_opt_outs(self, rulebook: Rulebook) -> FloatArray:
        """Return what a lost consent costs, by the send that loses the consent (n,); without losses by complaints."""
        value, space = rulebook.catalogue.reward.consent_value, rulebook.space
        by_channel = np.array([self.consents.get(channel, value) for channel in space.channels], dtype=np.float64)
        return np.asarray(by_channel[space.channel_of] + self.opt_out)

    def of_loads(self, loads: FloatArray) -> FloatArray:
        """Return what sends cost the later ones, ν·g(load), by the load at their times.

        >>> PriceOfSend(load=0.04).of_loads(np.array([0.0, 1.0, 3.0]))
        array([0.01, 0.04, 0.16])
        """
        return self.load * growth(loads)


def growth(loads: FloatArray) -> FloatArray:
    """Return g(load) = (1 + load)²/4: g is convex, because a tired shopper tires faster, and g(1) = 1."""
    return (1.0 + loads) * (1.0 + loads) / 4.0
