"""The rules in force, in order. A joint action is excluded once, by the first rule that denies it.

To add a rule: give its reason the next free number in `policies.records.reasons`, then write the function and its
`Rule` into the file of its topic. The place in this table is the rule's place in the order.
"""

from __future__ import annotations

from policies.rules import caps, consent, content, timing
from policies.rules.rule import RuleTable

RULES = RuleTable((*content.RULES, *consent.RULES, *timing.RULES, *caps.RULES))
