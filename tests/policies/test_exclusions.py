from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.exclusions import ExclusionCount, count_exclusions
from policies.records.reasons import Reason
from tests.factories import small_document

SPACE = Rulebook.of(Catalogue.from_document(small_document()), 1).space
NOT_COUNTED = {Reason.eligible, Reason.not_a_candidate}

verdicts = st.lists(st.sampled_from(Reason), min_size=len(SPACE), max_size=len(SPACE))


def count_one_by_one(verdicts: list[Reason]) -> list[ExclusionCount]:
    """The specification: every excluded joint action counts once, by channel and reason in the order of both."""
    counts = Counter(
        (int(channel), reason)
        for channel, reason in zip(SPACE.channel_of, verdicts, strict=True)
        if reason not in NOT_COUNTED
    )
    return [
        ExclusionCount(SPACE.channels[channel], reason.name, count)
        for (channel, reason), count in sorted(counts.items())
    ]


@given(st.lists(verdicts, min_size=1, max_size=4))
def test_the_exclusions_of_each_request_are_counted_by_themselves(requests: list[list[Reason]]) -> None:
    counted = count_exclusions(np.array(requests, dtype=np.uint8), SPACE)
    assert counted == [count_one_by_one(verdicts) for verdicts in requests]
