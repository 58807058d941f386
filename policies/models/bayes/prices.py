"""What a send costs later, in prices."""

from __future__ import annotations

from dataclasses import dataclass

from policies.arrays import FloatArray


@dataclass(frozen=True)
class PriceOfSend:
    """Prices of what a send spoils for later sends; with 0 a price counts for nothing.

    Parameters
    ----------
    load
        ν: what a send to a shopper with a load of 1 costs the later sends.
    opt_out
        λ: what an expected opt-out costs beyond the consent, where opt-outs have a budget.
    consent
        What a consent still earns, beyond the consent value of the catalogue.
    """

    load: float = 0.0
    opt_out: float = 0.0
    consent: float = 0.0

    @property
    def of_opt_out(self) -> float:
        """What an opt-out costs beyond the catalogue's consent value."""
        return self.opt_out + self.consent

    def of_load(self, loads: FloatArray) -> FloatArray:
        """Return what sends cost the later ones, ν·g(load) with g(load) = (1 + load)²/4, by the load at their times.

        g is convex: a tired shopper tires faster.

        >>> import numpy as np
        >>> PriceOfSend(load=0.04).of_load(np.array([0.0, 1.0, 3.0]))
        array([0.01, 0.04, 0.16])
        """
        return self.load * (1.0 + loads) * (1.0 + loads) / 4.0
