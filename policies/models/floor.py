"""The floor that a policy mixes into its distributions, so that the log can evaluate any other policy.

Half of the floor is uniform over the eligible set. The other half lies on the neighbours of the best send (they differ
from it in one slot), so that the joint actions that another good policy would choose are not rare in the log.
"""

from __future__ import annotations

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray
from policies.explorations.base import best_scores

_ROUNDING = 1e-15


def with_floor(
    explored: FloatArray, scores: FloatArray, eligible: BoolArray, groups: IntArray, epsilon: float
) -> FloatArray:
    """Mix explorations with the floor: p = (1 - ε)·explored + (ε/2)/K + (ε/2)·neighbours, where K is eligible.

    Parameters
    ----------
    explored
        (r, n + 1), the exploration's own distributions; the last column is HOLD's.
    scores
        (r, n), the scores of the sends, -∞ where a send is not eligible.
    eligible
        (r, n + 1), the eligible sets, each of size K.
    groups
        (3, n), the numbers of the pairs of slot values that each send has (`ActionSpace.pair_numbers`).
    epsilon
        Total mass of the floor, 0 ≤ ε ≤ 1.

    Examples
    --------
    >>> explored, eligible = np.array([[1.0, 0.0]]), np.array([[True, True]])
    >>> with_floor(explored, np.array([[1.0]]), eligible, np.array([[0], [1], [2]]), 0.1)
    array([[0.95, 0.05]])
    """
    if epsilon == 0.0:
        return explored
    sizes = eligible.sum(axis=1)
    uniform = (epsilon / 2 * (1.0 / sizes))[:, None]
    mixture = (1 - epsilon) * explored + uniform + epsilon / 2 * _neighbourhoods(scores, sizes, groups)
    return np.where(eligible, mixture, 0.0)


def _neighbourhoods(scores: FloatArray, sizes: IntArray, groups: IntArray) -> FloatArray:
    """Spread probability 1 over the neighbours of the best send; without neighbours, over the eligible set; (r, n + 1).

    Several best sends share the probability equally. The neighbours of a send share two of its three slots, so counting
    the members of each pair of slot values finds all neighbourhoods at once, in time linear in n. Numbers that are not
    integers are added one after the other (`bincount`), so a row does not depend on the other rows. The values outside
    the eligible set have no meaning.
    """
    (count, width), best = scores.shape, best_scores(scores)
    sends = scores > -np.inf
    is_best = sends & (scores == best[:, None])
    if np.count_nonzero(is_best) == np.count_nonzero(sends.any(axis=1)):
        return _neighbours_of_one(sends, is_best, sizes, groups)
    spread = np.zeros((count, width + 1))
    spread[:, -1] = best == -np.inf
    places = np.flatnonzero(sends)
    requests = places // width
    is_best = is_best.take(places)
    pairs = int(groups[-1].max()) + 1
    bins = (requests * pairs)[:, None] + groups.T.take(places - requests * width, axis=0)  # (eligible sends, 3)

    winners, winner_bins = requests[is_best], bins[is_best]
    shares = 1.0 / np.bincount(winners, minlength=count).take(winners)
    neighbours = np.bincount(bins.ravel(), minlength=count * pairs).take(winner_bins).sum(axis=1) - 3
    parts = np.where(neighbours > 0, shares / np.maximum(neighbours, 1), 0.0)
    sums = np.bincount(winner_bins.ravel(), weights=parts.repeat(3), minlength=count * pairs)
    of_sends = sums.take(bins)
    mass = of_sends[:, 0] + of_sends[:, 1] + of_sends[:, 2]
    from_ties = mass[is_best] - 3 * parts  # a send is no neighbour of itself, but of the sends that tie with it
    mass[is_best] = np.where(np.abs(from_ties) < _ROUNDING, 0.0, from_ties)

    spread.ravel()[places + requests] = mass
    if not neighbours.all():
        _spread_alone(spread, winners[neighbours == 0], shares[neighbours == 0], sizes)
    return spread


def _neighbours_of_one(sends: BoolArray, is_best: BoolArray, sizes: IntArray, groups: IntArray) -> FloatArray:
    """Return what `_neighbourhoods` says where no sends tie: the same bytes in fewer steps."""
    winners = is_best.argmax(axis=1)
    is_near = (groups[:, None, :] == groups[:, winners][:, :, None]).any(axis=0)
    is_near &= sends & ~is_best
    neighbours = is_near.sum(axis=1)
    spread = np.zeros((len(sends), sends.shape[1] + 1))
    np.divide(is_near, np.maximum(neighbours, 1)[:, None], out=spread[:, :-1])
    for request in np.flatnonzero(neighbours == 0).tolist():
        if is_best[request, winners[request]]:
            spread[request] = 1.0 / sizes[request]
        else:
            spread[request, -1] = 1.0
    return spread


def _spread_alone(spread: FloatArray, requests: IntArray, shares: FloatArray, sizes: IntArray) -> None:
    """Spread the shares of best sends that have no neighbours over the eligible sets of their requests."""
    for request in np.unique(requests).tolist():
        spread[request] += shares[requests == request].sum() / sizes[request]


def check_epsilon(epsilon: float, *, learns: bool) -> None:
    """Refuse a floor that is no probability, or too small for a policy that learns.

    With a smaller floor a few early opt-outs would make the policy hold for ever.

    Raises
    ------
    ValueError
        When ε is outside [0, 1], or below .01 for a policy that learns.
    """
    if not 0.0 <= epsilon <= 1.0:
        raise ValueError(f"epsilon must lie between 0 and 1, not {epsilon}")
    if learns and epsilon < 0.01:
        raise ValueError(f"epsilon must be at least 0.01 for a policy that learns, not {epsilon}")
