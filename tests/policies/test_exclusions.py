from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.exclusions import ExclusionCount, count_exclusions
from policies.records.reasons import Reason
from tests.factories import small_document

RULEBOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)
SPACE = RULEBOOK.space
NOT_COUNTED = {Reason.eligible, Reason.not_a_candidate}

verdicts = st.lists(st.sampled_from(Reason), min_size=len(SPACE), max_size=len(SPACE))


def count_one_by_one(verdicts: list[Reason]) -> tuple[ExclusionCount, ...]:
    """The specification: every excluded joint action counts once, by channel and reason in the order of both."""
    counts = Counter(
        (int(channel), reason)
        for channel, reason in zip(SPACE.channel_of, verdicts, strict=True)
        if reason not in NOT_COUNTED
    )
    return tuple(
        ExclusionCount(SPACE.channels[channel], reason.name, count)
        for (channel, reason), count in sorted(counts.items())
    )


@given(verdicts)
def test_every_excluded_joint_action_counts_once(verdicts: list[Reason]) -> None:
    assert count_exclusions(bytes(verdicts), RULEBOOK) == count_one_by_one(verdicts)
