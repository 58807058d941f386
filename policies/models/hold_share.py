"""The hold share: the share of decisions that hold at random, so that the log knows what happens without a send.

Orders come without any notification, too. What a send has brought is known only in comparison with holds that nothing
but chance has chosen (`policies.learning.incrementality`).
"""

from __future__ import annotations

import numpy as np

from policies.arrays import BoolArray, FloatArray

MOST_HOLD_SHARE = 0.1
"""The largest hold share: what is held at random earns nothing."""


def with_hold_share(probabilities: FloatArray, eligible: BoolArray, hold_share: float) -> FloatArray:
    """Mix HOLD into distributions: p = (1 - h)·probabilities + h·[HOLD], where HOLD and a send are eligible.

    HOLD is not eligible where a critical trigger has an eligible send: see `policies.rules.arbitration`. So what is
    critical is never held at random.

    Parameters
    ----------
    probabilities
        (r, n + 1), the distributions with the floor; the last column is HOLD's.
    eligible
        (r, n + 1), the eligible sets.
    hold_share
        The share h of decisions that hold whatever the scores are.

    Examples
    --------
    >>> with_hold_share(np.array([[0.75, 0.25]]), np.array([[True, True]]), 0.1)
    array([[0.675, 0.325]])
    """
    if hold_share == 0.0:
        return probabilities
    mixture = (1.0 - hold_share) * probabilities
    mixture[:, -1] += hold_share
    can_do_both = eligible[:, -1] & eligible[:, :-1].any(axis=1)
    return np.where(can_do_both[:, None], mixture, probabilities)


def check_hold_share(hold_share: float) -> None:
    """Refuse a hold share outside its range.

    Raises
    ------
    ValueError
        When h is outside [0, `MOST_HOLD_SHARE`].
    """
    if not 0.0 <= hold_share <= MOST_HOLD_SHARE:
        raise ValueError(f"hold_share must lie between 0 and {MOST_HOLD_SHARE}, not {hold_share}")
