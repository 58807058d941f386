"""A rule of the guardrails, and the table of all rules.

A rule is one function that asks a plain question about a situation, and one `Rule` that says how the answer is
used. The files of this folder each list their rules in a tuple ``RULES``; `policies.rules.rules` puts them in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeVar

import numpy as np

from policies.arrays import BoolArray, ByteArray
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import TriggerRecord
from policies.rules.situation import NOTHING_ELSE, Situation, Surroundings
from policies.rules.verdicts import DelayMask, DelayMasks, VerdictTable
from policies.shopper.state import HORIZON_S, ShopperState

Denied = TypeVar("Denied", DelayMask, DelayMasks, BoolArray | None)
"""What a rule denies: delays, delays by name, or slots."""

_REACHES_KEPT = 64
"""Catalogue versions whose reach is remembered; a process decides with one or two."""


def no_sends(catalogue: Catalogue) -> float:
    """Return how far back a rule looks that asks for no other send: not at all."""
    return 0.0


@dataclass(frozen=True)
class Rule(Generic[Denied]):
    """One rule: what it denies, and how the answer is used.

    Parameters
    ----------
    reason
        Why a joint action is excluded. The reason's number is stored in the log.
    denies
        The question.
    by
        The slots that the answer is about: a method of `VerdictTable`.
    looks_back_s
        How far from a send, in seconds, another send can lie and still matter to this rule under a catalogue;
        `no_sends` for a rule that asks for none. A rule that says too little does not see older sends. The state
        keeps sends for `HORIZON_S`: more is refused.
    binds_critical
        Whether the rule also binds critical triggers.
    asked_again
        Whether the activation gate asks the rule once more when the send is about to leave.
    version
        Counts up when the rule judges the same state and catalogue differently.
    """

    reason: Reason
    denies: Callable[[Situation], Denied]
    by: Callable[[VerdictTable, int, Denied], None]
    looks_back_s: Callable[[Catalogue], float]
    binds_critical: bool = False
    asked_again: bool = True
    version: int = 1


@dataclass(frozen=True, eq=False)
class RuleTable:
    """Rules in order: a joint action is excluded once, by the first rule that denies it."""

    rules: tuple[Rule[Any], ...]

    @cached_property
    def version(self) -> int:
        """The number (24 bits) that decision rows have for these rules; it changes with the rules and their order."""
        rows = [(int(rule.reason), rule.version, rule.binds_critical, rule.asked_again) for rule in self.rules]
        return int.from_bytes(hashlib.blake2b(repr(rows).encode(), digest_size=3).digest(), "big")

    def reach_s(self, rulebook: Rulebook) -> float:
        """Return how far apart two sends can be and still matter to each other under some rule.

        Raises
        ------
        ValueError
            When a rule looks back further than the state keeps sends.
        """
        return _reach_s(self, rulebook)

    def situation_of(
        self,
        request: Request,
        trigger: TriggerRecord,
        state: ShopperState,
        rulebook: Rulebook,
        surroundings: Surroundings = NOTHING_ELSE,
    ) -> Situation:
        """Return what one trigger of a request is judged on: a send could leave after each delay of the catalogue."""
        send_times = tuple(request.now + delay for delay in rulebook.space.delays_s)
        return Situation(request, trigger, state, rulebook, send_times, self.reach_s(rulebook), surroundings)

    def judge(self, situation: Situation) -> ByteArray:
        """Return the `Reason` of every joint action, shape (n,), for one trigger."""
        rulebook = situation.rulebook
        ranks = self._ranks(situation, self._ranked)
        ranks &= rulebook.candidates[situation.trigger.type]  # rank 0, before all rules, for what is no candidate
        return self._reasons.take(ranks.take(rulebook.space.cells))

    def judge_again(self, situation: Situation, message: str, channel: str) -> Reason:
        """Return the verdict of the activation gate on one send, at the situation's only send time."""
        if not _is_offered(situation, message, channel):
            return Reason.no_content  # the catalogue has changed, and nobody vouches for this send any more
        space, ranks = situation.rulebook.space, self._ranks(situation, self._ranked_again)
        return Reason(self._reasons[ranks[space.messages.index(message), space.channels.index(channel), 0]])

    @staticmethod
    def _ranks(situation: Situation, rules: Sequence[tuple[int, Rule[Any]]]) -> ByteArray:
        """Ask the rules: ranks (messages, channels, send times)."""
        table, critical = VerdictTable(situation.rulebook.space, len(situation.send_times)), situation.trigger.critical
        for rank, rule in rules:
            if rule.binds_critical or not critical:
                rule.by(table, rank, rule.denies(situation))
        return table.ranks()

    @cached_property
    def _ranked(self) -> list[tuple[int, Rule[Any]]]:
        return [*enumerate(self.rules, 1)]

    @cached_property
    def _ranked_again(self) -> list[tuple[int, Rule[Any]]]:
        return [(rank, rule) for rank, rule in self._ranked if rule.asked_again]

    @cached_property
    def _reasons(self) -> ByteArray:
        """The reason that each rank stands for: rank 0 is no candidate, a rank without a rule is eligible."""
        reasons = np.full(256, Reason.eligible, dtype=np.uint8)
        reasons[0] = Reason.not_a_candidate
        for rank, rule in self._ranked:
            reasons[rank] = rule.reason
        return reasons


def _is_offered(situation: Situation, message: str, channel: str) -> bool:
    """Return whether a message of the catalogue in force answers the trigger, and on this channel."""
    offered = situation.rulebook.catalogue.messages.get(message)
    return offered is not None and situation.trigger.type in offered.triggers and channel in offered.templates


@lru_cache(maxsize=_REACHES_KEPT)
def _reach_s(table: RuleTable, rulebook: Rulebook) -> float:
    farthest = max(table.rules, key=lambda rule: rule.looks_back_s(rulebook.catalogue))
    reach_s = farthest.looks_back_s(rulebook.catalogue)
    if reach_s > HORIZON_S:
        raise ValueError(f"the rule {farthest.reason.name} looks back {reach_s} s; sends are kept for {HORIZON_S} s")
    return reach_s
