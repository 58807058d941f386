"""The contenders of a simulation: a policy or a service, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Callable

from decision_service.cli.own_policy import find_policy, make_source, name_failures
from decision_service.cli.remote_shop import RemoteShop
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import PolicyFactory
from policies.models.registry import BASELINES, POLICIES
from simulators.experiments.contender import (
    Contender,
    ReportHours,
    broadcasts,
    no_send_contender,
    policy_contender,
    shop_contender,
)
from simulators.experiments.counts import Counts
from simulators.plans.plan import Plan
from simulators.plans.planner_contender import planner_contender
from simulators.shops.planner import PLANNER
from simulators.world.world import World


def choose_contenders(
    policy: str,
    shop: RemoteShop | None,
    rulebook: Rulebook,
    find_plan: Callable[[], Plan],
    *,
    baselines: bool,
    hold_share: float = 0.0,
) -> list[Contender]:
    """Return the contender that the simulation is about, a service or else a policy, and the baselines behind it.

    The baselines have neither a floor nor a hold share.

    Raises
    ------
    ValueError
        When there is no such policy, one cannot be made, a policy of the caller has the name of a baseline, or the
        planner should have a hold share.
    """
    policies = {name: _contender(factory, rulebook) for name, factory in POLICIES.items()}
    policies[PLANNER] = planner_contender(find_plan, rulebook)
    if shop is not None:
        first = shop_contender("service", lambda world, seed: shop, rulebook)
    elif policy == PLANNER:
        if hold_share:
            raise ValueError("hold-share must not be given with --policy planner")
        first = policies.pop(policy)
    else:
        first = _contender(find_policy(policy).with_hold_share(hold_share), rulebook)
        policies.pop(policy, None)
    if not baselines:
        return [first]
    fixed = [no_send_contender(), *broadcasts()]
    others = [policies[name] for name in (*BASELINES, PLANNER) if name in policies]
    if first.name in {contender.name for contender in (*fixed, *others)}:
        raise ValueError(f"policy: {policy} has the name of a baseline, {first.name}: give it another name")
    return [first, *fixed, *others]


def _contender(factory: PolicyFactory, rulebook: Rulebook) -> Contender:
    """Return a policy as a contender.

    Raises
    ------
    ValueError
        When the policy cannot be made.
    """
    make_source(factory, rulebook)
    contender = policy_contender(factory.name, lambda world: make_source(factory, rulebook), rulebook)

    def play(world: World, seed: int, report_hours: ReportHours) -> Counts:
        with name_failures(factory.name):
            return contender.play(world, seed, report_hours)

    return Contender(factory.name, play)
