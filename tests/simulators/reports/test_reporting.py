"""Reports change the knowledge of a shop, never the events of the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from decision_service.catalogues.file import example
from policies.catalogue.rulebook import Rulebook
from policies.models.registry import BASELINES, policy_without_floor
from simulators.experiments.simulation import Simulation
from simulators.family.draw import draw_world
from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.report_rules import TRUE_REPORTS, ReportRules
from simulators.scenarios.scenario import Scenario
from simulators.shops.base import Outcome, ShopperEvent
from simulators.shops.local import FixedPolicy, LocalShop
from simulators.world.messages import Messages
from simulators.world.world import World

SHOPPERS = 30
MANY_REFUNDS = {"refunding_share": 1.0, "least_refunds": 0.4, "most_refunds": 0.5, "refund_within_h": 72.0}
BUSY = Scenario("busy", visits_per_week=12.0, weeks=2, parameters=PARAMETERS.with_values(MANY_REFUNDS))


class ListeningShop(LocalShop):
    """A shop with the business rule that remembers its reports."""

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(FixedPolicy(policy_without_floor(BASELINES["rule"], rulebook)), rulebook, b"told")
        self.outcomes: list[tuple[float, Outcome]] = []
        self.events: list[ShopperEvent] = []

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        self.outcomes += [(now, outcome) for outcome in outcomes]
        super().record_outcomes(outcomes, now)

    def record_events(self, events: Sequence[ShopperEvent], now: float) -> None:
        self.events += events
        super().record_events(events, now)

    def list_reports(self, kind: str) -> Counter[Outcome]:
        """Return the outcomes of a type, with how often each was reported."""
        return Counter(outcome for _, outcome in self.outcomes if outcome.type == kind)


class Run:
    """A busy shop under rules of reports, with everything that happened and was reported."""

    def __init__(self, rulebook: Rulebook, rules: ReportRules = TRUE_REPORTS) -> None:
        self.world = World(replace(BUSY, reports=rules), SHOPPERS, 5, Messages.of(rulebook))
        self.shop = ListeningShop(rulebook)
        self.simulation = Simulation(self.shop, self.world, rulebook, "told")
        self.records = self.simulation.run()

    def list_outcomes(self, kind: str) -> Counter[Outcome]:
        return Counter(outcome for record in self.records for outcome in record.outcomes if outcome.type == kind)

    def deliveries(self) -> dict[str, list[tuple[float, str]]]:
        """Return the deliveries to each shopper: time, event id."""
        by_shopper: dict[str, list[tuple[float, str]]] = {}
        for record in self.records:
            for outcome in record.outcomes:
                if outcome.type == "delivered":
                    by_shopper.setdefault(record.shopper, []).append((outcome.at, record.event_id))
        return by_shopper


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    return Rulebook.of(example(), 1)


@pytest.fixture(scope="module")
def truth(rulebook: Rulebook) -> Run:
    return Run(rulebook)


def test_without_rules_the_reports_are_true(truth: Run) -> None:
    for kind in ("delivered", "open", "click", "conversion", "opt_out", "refund"):
        assert truth.shop.list_reports(kind) == truth.list_outcomes(kind)
    assert truth.list_outcomes("conversion")


@pytest.mark.parametrize("number", range(60, 64))
def test_reports_change_nothing_that_happens(rulebook: Rulebook, truth: Run, number: int) -> None:
    """A policy that does not learn decides the same; a shop that recognises nobody has fewer triggers to decide on."""
    reported = Run(rulebook, replace(draw_world(number).reports, recognised=1.0))
    assert reported.records == truth.records
    assert np.array_equal(reported.world.margins.expected, truth.world.margins.expected)
    assert np.array_equal(reported.world.margins.realised, truth.world.margins.realised)
    assert reported.shop.events == truth.shop.events
    for kind in ("delivered", "opt_out", "complaint", "bounce"):
        assert reported.shop.list_reports(kind) == truth.list_outcomes(kind), "only opens, clicks, orders"
    assert reported.shop.outcomes != truth.shop.outcomes


def test_lost_reports_never_come(rulebook: Rulebook) -> None:
    run = Run(rulebook, ReportRules(missing=1.0))
    assert not any(run.shop.list_reports(kind) for kind in ("open", "click", "conversion", "refund"))


def test_late_and_repeated_reports_tell_of_the_same_outcomes(rulebook: Rulebook, truth: Run) -> None:
    """A report is lost where it would come after the end: with a probability of at most 4 hours in 336.

    A tenth of 50 or more reports is lost with a probability of at most 4e-4 (binomial); the seed is fixed.
    """
    late = Run(rulebook, ReportRules(late=1.0, late_h=3.0))
    happened = truth.list_outcomes("open")
    assert happened.total() >= 50
    assert not late.shop.list_reports("open") - happened
    assert late.shop.list_reports("open").total() > 0.9 * happened.total(), "some are reported after the end"
    assert all(now - outcome.at >= 3_600 for now, outcome in late.shop.outcomes if outcome.type == "open")
    twice = Run(rulebook, ReportRules(repeated=1.0, late_h=3.0)).shop.list_reports("open")
    assert set(twice) == set(happened)
    assert sum(times == 2 for times in twice.values()) > 0.9 * len(twice)


@pytest.mark.parametrize("window_h", [6.0, 168.0])
def test_orders_are_credited_to_the_sends_within_the_window(rulebook: Rulebook, truth: Run, window_h: float) -> None:
    """The rules once more, in plain words, over the recorded deliveries and all orders."""
    last = Run(rulebook, ReportRules(attribution="last_touch", window_h=window_h))
    every = Run(rulebook, ReportRules(attribution="any_touch", window_h=window_h))
    deliveries = truth.deliveries()
    purchases = [event for event in truth.shop.events if event.type == "purchase"]
    orders = [(event.shopper_id, event.at, event.attributes["value"]) for event in purchases]
    of_event = {record.event_id: record.shopper for record in truth.records}
    orders += [(of_event[one.event_id], one.at, one.value) for one in truth.list_outcomes("conversion").elements()]
    expected_last, expected_every = Counter[tuple[str, float]](), Counter[tuple[str, float]]()
    for shopper, at, value in orders:
        within = [one for one in deliveries.get(shopper, []) if at - window_h * 3_600 <= one[0] <= at]
        if within:
            expected_last[max(within)[1], float(value)] += 1
        expected_every.update((event_id, float(value)) for _, event_id in within)
    assert expected_last
    for run, expected in ((last, expected_last), (every, expected_every)):
        reported = Counter((one.event_id, one.value) for one in run.shop.list_reports("conversion").elements())
        assert (reported - expected).total() + (expected - reported).total() <= 2, "whole seconds may move an edge"
    credits_of_last, credits_of_every = (run.simulation.reporting.credits for run in (last, every))
    assert credits_of_last.orders == credits_of_every.orders == expected_last.total()
    caused = credits_of_last.orders - credits_of_last.orders_anyway
    assert 0 < caused <= truth.list_outcomes("conversion").total()


def test_net_values_take_off_what_was_credited(rulebook: Rulebook) -> None:
    net = Run(rulebook, ReportRules(attribution="last_touch"))
    credited = Counter((one.event_id, one.value) for one in net.shop.list_reports("conversion").elements())
    refunded = Counter((one.event_id, one.value) for one in net.shop.list_reports("refund").elements())
    assert refunded
    assert not refunded - credited
    assert not Run(rulebook, ReportRules(attribution="last_touch", net_of_refunds=False)).shop.list_reports("refund")


def test_machines_open_and_click_what_arrives(rulebook: Rulebook, truth: Run) -> None:
    run = Run(rulebook, ReportRules(machine_opens=1.0, machine_clicks=1.0))
    emails = {one.event_id for one in run.records if one.delivered and one.action and one.action.channel == "email"}
    assert {one.event_id for one in run.shop.list_reports("open")} == emails
    assert {one.event_id for one in run.shop.list_reports("click")} >= emails
    assert not truth.list_outcomes("click") - run.shop.list_reports("click")


def test_a_wrong_zone_moves_times_and_never_into_the_future(rulebook: Rulebook, truth: Run) -> None:
    run = Run(rulebook, ReportRules(wrong_zones=1.0, zone_error_h=-2.0))
    reported = {one.event_id: one.at for one in run.shop.list_reports("click")}
    assert reported == {one.event_id: one.at - 7_200 for one in truth.list_outcomes("click")}
    ahead = Run(rulebook, ReportRules(wrong_zones=1.0, zone_error_h=5.0))
    assert all(outcome.at <= now for now, outcome in ahead.shop.outcomes)


def test_a_shop_that_recognises_nobody_sees_orders_and_no_visits(rulebook: Rulebook, truth: Run) -> None:
    """Where it recognises a visit with the probability .5, it recognises .4 to .6 of 500 or more visits.

    Other shares have a probability of at most 1e-5 (binomial); the seed is fixed.
    """
    run = Run(rulebook, ReportRules(recognised=0.0))
    kinds = {event.type for event in run.shop.events}
    assert "purchase" in kinds
    assert not kinds & {"session", "product_view", "cart_abandoned", "wishlist"}
    half = Run(rulebook, ReportRules(recognised=0.5))
    sessions = [sum(event.type == "session" for event in one.shop.events) for one in (half, truth)]
    assert sessions[1] >= 500
    assert 0.4 < sessions[0] / sessions[1] < 0.6
