"""A rule of the guardrails, and the table of all rules.

A rule is one function that returns what the rule denies in a situation, and one `Rule` that says how the answer is
used. The files of this folder each list their rules in a tuple ``RULES``; `policies.rules.rules` puts them in order.

A joint action has three slots: a message, a channel and a delay. Most rules look at the delay and at most one other
slot, so they answer in a short form, and the `VerdictTable` lays the answers over all joint actions.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import compress
from typing import Any, Generic, TypeVar

import numpy as np

from policies.arrays import BoolArray, ByteArray
from policies.catalogue.document import LONGEST_WINDOW_S, Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import TriggerRecord
from policies.rules.batch.limit import Limits
from policies.rules.batch.limit_table import LimitTable
from policies.rules.batch.numbering import Numbering
from policies.rules.batch.ranks import BatchForm, BatchRanks
from policies.rules.batch.situations import SituationBatch
from policies.rules.situation import NOTHING_ELSE, Situation, Surroundings
from policies.rules.verdicts import NOT_DENIED, DelayMask, DelayMasks, VerdictTable, lay_out, stack
from policies.shopper.state import HORIZON_S, ShopperState

Denied = TypeVar("Denied", DelayMask, DelayMasks, BoolArray | None)
"""What a rule denies: delays; delays by the name of a message, category or channel; or any combination of slots."""

_FEWEST_IN_BATCH = 8
"""From so many situations on, arrays are faster than one situation after the other."""

_REACHES_KEPT = 64
"""How many catalogue versions the cache of `RuleTable.reach_s` keeps; a process decides with one or two."""


FreesAt = Callable[[Situation, float, float], Iterable[float]]
"""From a situation and two times to the times between them at which a denial may end: see `Rule`."""


def looks_at_no_sends(catalogue: Catalogue) -> float:
    """Return 0 s: for a rule whose answer depends on no other send."""
    return 0.0


def concerns_all(catalogue: Catalogue) -> bool:
    """Return True: for a rule that can deny something under every catalogue."""
    return True


@dataclass(frozen=True)
class Rule(Generic[Denied]):
    """One rule: what the rule denies, and how the answer is used.

    Parameters
    ----------
    reason
        Why a joint action is excluded. The reason's number is stored in the log.
    denies
        The function that returns what the rule denies.
    write
        The method of `VerdictTable` that writes the answer into the table. The method says which slots the answer is
        about: `by_delay`, `by_message`, `by_category`, `by_channel` or `by_slots`.
    looks_back_s
        How far from a send another send can lie and still matter to this rule under a catalogue, in seconds. The
        distance counts in both directions: sends that lie ahead also matter. `looks_at_no_sends` for a rule that
        looks at no other send. If the number is too small, the rule misses sends; above `LONGEST_WINDOW_S`, the
        longest time for which the state keeps sends, `RuleTable.reach_s` raises. Where the number is not 0, the rule
        is not asked about a shopper without sends: it must deny nothing to such a shopper.
    binds_critical
        Whether the rule also binds critical triggers.
    asked_again
        Whether the activation gate asks the rule once more when the send is about to leave.
    frees_at
        The function that returns at which times, from one time to another, a send that the rule denies may become free
        again although nothing else happens. Times at which nothing changes do no harm; a missing time does. None for a
        rule whose denial does not end by itself.
    concerns
        The function that says whether the rule can deny anything under a catalogue. A rule that cannot is not asked. 0
        stands for False, so that a rule about the distance between sends can name its ``looks_back_s`` here.
    limits, in_batch
        What the rule denies in many situations at once, for a rule whose ``denies`` is slow: limits on other sends, a
        function, or both. They must deny the same.
    version
        Raise it when you change how the rule judges.
    """

    reason: Reason
    denies: Callable[[Situation], Denied]
    write: Callable[[VerdictTable, int, Denied], None]
    looks_back_s: Callable[[Catalogue], float]
    binds_critical: bool = False
    asked_again: bool = True
    frees_at: FreesAt | None = None
    concerns: Callable[[Catalogue], float] = concerns_all
    limits: Limits | None = None
    in_batch: BatchForm | None = None
    version: int = 1


RankedRules = Sequence[tuple[int, Rule[Any]]]
"""Rules with their ranks."""

SituationTable = tuple[Situation, VerdictTable]
"""A situation, and the table into which the rules write what they deny in the situation."""


@dataclass(frozen=True, eq=False)
class RuleTable:
    """Rules in order: a joint action is excluded once, by the first rule that denies it.

    The rank of a rule is its position in the order, from 1. Where several rules deny a joint action, the smallest rank
    counts. Rank 0 is left for joint actions whose message may not answer the trigger.
    """

    rules: tuple[Rule[Any], ...]

    @cached_property
    def version(self) -> int:
        """The number (24 bits) that decision rows store for these rules; it changes with the rules and their order."""
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

    def horizon_s(self, catalogue: Catalogue) -> float:
        """Return how long the states must keep sends for a catalogue."""
        return max(HORIZON_S, *(rule.looks_back_s(catalogue) for rule in self.rules))

    def situation_of(
        self,
        request: Request,
        trigger: TriggerRecord,
        state: ShopperState,
        rulebook: Rulebook,
        surroundings: Surroundings = NOTHING_ELSE,
    ) -> Situation:
        """Return what one trigger of a request is judged on: a send could leave after each delay of the catalogue."""
        now = request.now
        send_times = tuple([now + delay for delay in rulebook.space.delays_s])
        return Situation(request, trigger, state, rulebook, send_times, self.reach_s(rulebook), surroundings)

    def judge(self, situation: Situation) -> ByteArray:
        """Return the `Reason` of every joint action, shape (n,), in one situation."""
        verdicts: ByteArray = self.judge_many([situation])[0]
        return verdicts

    def judge_many(self, situations: Sequence[Situation], fewest: int = _FEWEST_IN_BATCH) -> ByteArray:
        """Return the `Reason` of every joint action in each situation, shape (situations, n); all have one rulebook.

        From ``fewest`` situations on, the rules that have a form for many situations are asked in this form.
        """
        rulebook = situations[0].rulebook
        tables = [VerdictTable(rulebook.space, len(situation.send_times)) for situation in situations]
        together: list[tuple[_Questions, list[int]]] = []
        for (critical, has_sends), numbers in _by_needs(situations, many=len(situations) >= fewest).items():
            questions = _questions(self, rulebook, critical=critical, has_sends=has_sends)
            if len(numbers) >= fewest:
                together.append((questions, numbers))
            rules = questions.alone if len(numbers) >= fewest else questions.rules
            _ask(rules, [(situations[number], tables[number]) for number in numbers])
        rows = stack(tables)
        for questions, numbers in together:
            rows[numbers] = questions.ask_together([situations[number] for number in numbers], rows[numbers])
        ranks = lay_out(rows, tables, rulebook.space)
        # A joint action that is no candidate gets rank 0, before all rules.
        ranks *= rulebook.candidates[[rulebook.trigger_numbers[situation.trigger.type] for situation in situations]]
        return self._reasons.take(ranks)

    def judge_again(
        self, situation: Situation, message: str, channel: str, asks: Callable[[Rule[Any]], bool] | None = None
    ) -> Reason:
        """Return the verdict of the activation gate on one send, at the situation's only send time.

        Of the rules that the gate asks again, only those count that ``asks`` chooses; without it all of them.
        """
        if not _is_offered(situation, message, channel):
            return Reason.no_content  # the catalogue has changed and no longer offers this message on this channel
        space = situation.rulebook.space
        rules = [
            (rank, rule)
            for rank, rule in self._rules_for(situation)
            if rule.asked_again and (asks is None or asks(rule))
        ]
        ranks = self._ranks(situation, rules)
        return Reason(self._reasons[ranks[space.messages.index(message), space.channels.index(channel), 0]])

    def allows(self, situation: Situation, asks: Callable[[Rule[Any]], bool]) -> BoolArray:
        """Return what none of the rules that ``asks`` chooses denies, shape (messages, channels, send times)."""
        rules = [(rank, rule) for rank, rule in self._rules_for(situation) if asks(rule)]
        return np.asarray(self._ranks(situation, rules) == NOT_DENIED)

    def denied_times(self, situation: Situation, asks: Callable[[Rule[DelayMask]], bool]) -> set[float]:
        """Return the send times that a rule denies to all joint actions; ``asks`` chooses rules about delays."""
        masks = [rule.denies(situation) for _, rule in self._rules_for(situation) if asks(rule)]
        return {at for mask in masks for at in compress(situation.send_times, mask)}

    def times_that_free(
        self, situation: Situation, begin: float, end: float, asks: Callable[[Rule[Any]], bool]
    ) -> Iterator[float]:
        """Yield the times at which the denial of a rule that ``asks`` chooses may end by itself: `Rule.frees_at`."""
        for _, rule in self._rules_for(situation):
            if rule.frees_at is not None and asks(rule):
                yield from rule.frees_at(situation, begin, end)

    def _rules_for(self, situation: Situation) -> RankedRules:
        """Return the rules that can deny anything in a situation."""
        has_sends = bool(situation.state.sends)
        return _questions(self, situation.rulebook, critical=situation.trigger.critical, has_sends=has_sends).rules

    @staticmethod
    def _ranks(situation: Situation, rules: RankedRules) -> ByteArray:
        """Ask the rules, and return the smallest ranks, shape (messages, channels, send times)."""
        table = VerdictTable(situation.rulebook.space, len(situation.send_times))
        _ask(rules, [(situation, table)])
        return table.ranks()

    @cached_property
    def _ranked(self) -> RankedRules:
        return [*enumerate(self.rules, 1)]

    @cached_property
    def _reasons(self) -> ByteArray:
        """The reason that each rank stands for: rank 0 is "no candidate", and a rank without a rule is "eligible"."""
        reasons = np.full(256, Reason.eligible, dtype=np.uint8)
        reasons[0] = Reason.not_a_candidate
        for rank, rule in self._ranked:
            reasons[rank] = rule.reason
        return reasons


def _ask(rules: RankedRules, pairs: Sequence[SituationTable]) -> None:
    """Write into the tables what the rules deny in the situations.

    Each rule is asked about all situations before the next rule is: the same code many times in a row takes half as
    long as different code each time.
    """
    for rank, rule in rules:
        for situation, table in pairs:
            rule.write(table, rank, rule.denies(situation))


def _by_needs(situations: Sequence[Situation], *, many: bool) -> dict[tuple[bool, bool], list[int]]:
    """Group situations by whether the trigger is critical, and whether the shopper has sends.

    Of many situations, those without sends stay with the others: in arrays, another group costs more than its rows.
    """
    groups: dict[tuple[bool, bool], list[int]] = defaultdict(list)
    for number, situation in enumerate(situations):
        groups[situation.trigger.critical, many or bool(situation.state.sends)].append(number)
    return groups


@dataclass(frozen=True, eq=False)
class _Questions:
    """The rules that can deny anything, with their ranks; and the same in two parts.

    The rules ``alone`` are asked about one situation after the other. The others are asked about many situations at
    once, by their ``limits`` and their ``forms``.
    """

    rules: RankedRules
    alone: RankedRules
    forms: Sequence[tuple[int, BatchForm]]
    limits: LimitTable

    @classmethod
    def of(cls, rules: RankedRules, rulebook: Rulebook) -> _Questions:
        alone = [(rank, rule) for rank, rule in rules if rule.limits is None and rule.in_batch is None]
        forms = [(rank, rule.in_batch) for rank, rule in rules if rule.in_batch is not None]
        limits = [(rank, limit) for rank, rule in rules if rule.limits is not None for limit in rule.limits(rulebook)]
        return cls(rules, alone, forms, LimitTable.of(limits, Numbering.of(rulebook)))

    def ask_together(self, situations: Sequence[Situation], rows: ByteArray) -> ByteArray:
        """Lower the rows of the situations' verdict tables to the ranks of the rules that deny."""
        ranks = BatchRanks(SituationBatch(situations, self.limits))
        ranks.by_limits()
        for rank, form in self.forms:
            form(ranks, rank)
        ranks.lower(rows)
        return rows


@lru_cache(maxsize=4 * _REACHES_KEPT)
def _questions(table: RuleTable, rulebook: Rulebook, *, critical: bool, has_sends: bool) -> _Questions:
    """Return the rules that can deny anything; without sends, no rule that looks at other sends."""
    catalogue = rulebook.catalogue
    rules = [
        (rank, rule)
        for rank, rule in enumerate(table.rules, 1)
        if (rule.binds_critical or not critical)
        and (has_sends or not rule.looks_back_s(catalogue))
        and rule.concerns(catalogue)
    ]
    return _Questions.of(rules, rulebook)


def _is_offered(situation: Situation, message: str, channel: str) -> bool:
    """Return whether the catalogue in force offers this message for the trigger, on this channel."""
    offered = situation.rulebook.catalogue.messages.get(message)
    return offered is not None and situation.trigger.type in offered.triggers and channel in offered.templates


@lru_cache(maxsize=_REACHES_KEPT)
def _reach_s(table: RuleTable, rulebook: Rulebook) -> float:
    farthest = max(table.rules, key=lambda rule: rule.looks_back_s(rulebook.catalogue))
    reach_s = farthest.looks_back_s(rulebook.catalogue)
    if reach_s > LONGEST_WINDOW_S:
        raise ValueError(
            f"the rule {farthest.reason.name} looks back {reach_s} s; sends are kept for at most {LONGEST_WINDOW_S} s"
        )
    return reach_s
