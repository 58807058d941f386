"""A probe of what a policy predicts of sends that it does not choose: of each decision one eligible send at random.

A log shows only sends that the policy liked. Whether it knows the others, too, is asked here: their true probabilities
are those of `simulators.truth`, as they are known at the decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.decision import Decision
from simulators.regret.calibration import calibration_slope
from simulators.shops.base import Arrival
from simulators.shops.foresight import Foresight
from simulators.truth.truth import Truth
from simulators.world.world import World


class Probe(NamedTuple):
    """One eligible send of a decision: its joint action, and the predicted probabilities of a click and an opt-out."""

    number: int
    click: float
    out: float


class UniformProbe:
    """Compares predictions with the truth, for one eligible send of every decision from an hour on.

    Parameters
    ----------
    seed
        Decides which sends are probed. Nothing else depends on the seed.
    """

    def __init__(self, world: World, rulebook: Rulebook, seed: int, first_hour: int) -> None:
        self._world = world
        self._foresight = Foresight(Truth(world, rulebook), rulebook)
        self._random = np.random.default_rng(seed)
        self._first_hour = first_hour
        self._probes: dict[str, Probe] = {}
        self._predicted: dict[str, list[float]] = {"click": [], "out": []}
        self._true: dict[str, list[float]] = {"click": [], "out": []}

    def draw(self, decisions: Sequence[Decision]) -> None:
        """Draw one eligible send of each decision whose policy predicts opt-outs."""
        if self._world.hour < self._first_hour:
            return
        for decision in decisions:
            distributions = decision.batch.distributions
            sends = np.flatnonzero(decision.batch.eligibles.mask[decision.row, :-1])
            if distributions.p_out is not None and len(sends):
                number = int(self._random.choice(sends))
                p_click = getattr(distributions, "p_click", None)
                click = np.nan if p_click is None else float(p_click[decision.row, number])
                out = float(distributions.p_out[decision.row, number])
                self._probes[decision.request.event_id] = Probe(number, click, out)

    def look(self, arrivals: Sequence[Arrival]) -> None:
        """Look up the truth of the sends that were drawn for these arrivals, before the world goes on."""
        probed = [arrival for arrival in arrivals if arrival.event_id in self._probes]
        if not probed:
            return
        prospects = self._foresight.prospects(probed)
        for row, arrival in enumerate(probed):
            probe = self._probes.pop(arrival.event_id)
            for head, true in (("click", prospects.click), ("out", prospects.out)):
                self._predicted[head].append(getattr(probe, head))
                self._true[head].append(float(true[row, probe.number]))

    def slopes(self) -> dict[str, float]:
        """Return the calibration slope of each head that predicts."""
        slopes = {}
        for head, predicted in self._predicted.items():
            slope = (
                None
                if np.isnan(predicted).any()
                else calibration_slope(np.array(predicted), np.array(self._true[head]))
            )
            if slope is not None:
                slopes[head] = slope
        return slopes
