"""Policies: a model scores the joint actions, an exploration turns the scores into a distribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ParamSpec, Protocol

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, SeedArray
from policies.catalogue.rulebook import Rulebook
from policies.draw import SampleSeeds
from policies.explorations.base import Exploration, Scores
from policies.explorations.greedy import Greedy
from policies.models.compiled import ModelSnapshot
from policies.models.floor import check_epsilon, with_floor
from policies.models.hold_share import check_hold_share, with_hold_share
from policies.records.rows import Context, PolicyRecord
from policies.rules.arbitration import Eligibles

DEFAULT_EPSILON = 0.02

_Arguments = ParamSpec("_Arguments")

AssessmentSampler = Callable[[SeedArray, int], FloatArray]
"""Takes a seed for each context and a number of draws (M), and returns sampled scores of all sends (contexts, M, n).

In each draw all sends are scored by the same drawn model. What is drawn for a context depends on this context and its
seed alone, to the byte; contexts of the same seed are scored by the same drawn models.
"""


@dataclass(frozen=True)
class Assessment:
    """The scores of all joint actions and, from a model that knows them, their opt-out probabilities.

    Both arrays have shape (contexts, n). HOLD is the joint action without features: its score is exactly 0. Of a model
    that is a posterior distribution both are means; ``sample`` then draws scores from this distribution.
    """

    scores: FloatArray
    p_out: FloatArray | None = None
    sample: AssessmentSampler | None = None

    @classmethod
    def of_all(cls, contexts: Sequence[Context], scores: FloatArray, p_out: FloatArray | None = None) -> Assessment:
        """Return the same scores (n,) and opt-out probabilities (n,) for every context."""
        shape = len(contexts), len(scores)
        return cls(np.broadcast_to(scores, shape), None if p_out is None else np.broadcast_to(p_out, shape))


class Model(Protocol):
    """A model scores joint actions."""

    def assess(self, contexts: Sequence[Context], rulebook: Rulebook) -> Assessment:
        """Return the scores of all sends of the rulebook's action space in each context.

        The scores in a context are the same to the byte whatever other contexts are in the list.
        """
        ...


@dataclass(frozen=True)
class AssessmentTable:
    """Stands in place of a model where the assessments of requests were computed before: a row for each request.

    A simulation that knows more of the shoppers than their contexts decides so.

    Attributes
    ----------
    rows
        Event id of a request → its row.
    assessment
        By row.
    """

    rows: Mapping[str, int]
    assessment: Assessment

    def assess(self, event_ids: Sequence[str]) -> Assessment:
        """Return the rows of requests, in their order."""
        rows = [self.rows[event_id] for event_id in event_ids]
        scores, p_out = self.assessment.scores, self.assessment.p_out
        return Assessment(scores[rows], None if p_out is None else p_out[rows])


@dataclass(frozen=True)
class Distributions:
    """Distributions of a list of requests (r) over all joint actions (n); HOLD is column n.

    ``probabilities`` (r, n + 1) are 0 for what is not eligible. ``p_out`` (r, n) are the opt-out probabilities of the
    sends, without meaning for sends that are not eligible; None if the model knows none, or no request has an eligible
    send.
    """

    probabilities: FloatArray
    p_out: FloatArray | None = None


@dataclass(frozen=True)
class Policy:
    """Maps a context and an eligible set to a distribution; a policy never chooses.

    A policy without a model is uniform over the eligible set. Every other policy mixes its distribution with the
    floor of `floor.with_floor`. Every policy then mixes HOLD in with its ``hold_share``: see
    `hold_share.with_hold_share`.

    Raises
    ------
    ValueError
        When ``epsilon`` or ``hold_share`` is outside its range (see `floor.check_epsilon` and
        `hold_share.check_hold_share`).
    """

    name: str
    model: Model | AssessmentTable | None = None
    exploration: Exploration = field(default_factory=Greedy)
    epsilon: float = DEFAULT_EPSILON
    version: int = 0
    learns: bool = False
    mode: str = "frozen"
    hold_share: float = 0.0

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, learns=self.learns)
        check_hold_share(self.hold_share)

    @property
    def record(self) -> PolicyRecord:
        """The policy's name, version and mode, as the log and the answer state them."""
        return PolicyRecord(self.name, self.version, self.mode)

    def distributions(
        self, eligibles: Eligibles, rulebook: Rulebook, seeds: SampleSeeds | None = None
    ) -> Distributions:
        """Return the distributions over eligible sets; no eligible set may be empty.

        A send is assessed in the context of the trigger that it answers. A request's distribution is the same to the
        byte, whatever other requests are in the list. ``seeds`` has a seed for each request; only an exploration that
        samples the model needs them.
        """
        eligible = eligibles.mask
        if self.model is None:
            uniform = eligible / eligible.sum(axis=1)[:, None]
            return Distributions(with_hold_share(uniform, eligible, self.hold_share))
        scores, p_out, sample = np.full(eligibles.verdicts.shape, -np.inf), None, None
        requests = np.flatnonzero(eligible[:, :-1].any(axis=1))
        if len(requests):
            assessment = _assess(self.model, eligibles, requests, rulebook)
            np.copyto(scores, _rows(assessment.scores, requests, len(scores)), where=eligible[:, :-1])
            if assessment.p_out is not None:
                p_out = _rows(assessment.p_out, requests, len(scores))
            if assessment.sample is not None and seeds is not None:
                sample = partial(_sample, assessment.sample, seeds, requests, eligible[:, :-1])
        else:
            sample = partial(_no_samples, scores)
        explored = self.exploration.explore(Scores(scores, eligibles.hold, sample))
        probabilities = with_floor(explored, scores, eligible, rulebook.space.pair_numbers, self.epsilon)
        return Distributions(with_hold_share(probabilities, eligible, self.hold_share), p_out)


def _assess(model: Model | AssessmentTable, eligibles: Eligibles, requests: IntArray, rulebook: Rulebook) -> Assessment:
    """Assess all sends for some requests, each send in the context of the trigger that it answers."""
    if isinstance(model, AssessmentTable):
        return model.assess([eligibles.situations[request][0].request.event_id for request in requests.tolist()])
    contexts = [eligibles.contexts[request] for request in requests.tolist()]
    assessment = model.assess([context for of_request in contexts for context in of_request], rulebook)
    if eligibles.trigger_of is None:
        return assessment
    counts = [*map(len, contexts)]
    first = np.cumsum([0, *counts[:-1]])[:, None]
    answered = first + np.maximum(eligibles.trigger_of[requests], 0), np.arange(len(rulebook.space))
    p_out, sample = assessment.p_out, assessment.sample
    return Assessment(
        assessment.scores[answered],
        None if p_out is None else p_out[answered],
        None if sample is None else partial(_sample_answered, sample, counts, answered),
    )


def _sample_answered(
    sample: AssessmentSampler, counts: list[int], answered: tuple[IntArray, IntArray], seeds: SeedArray, draws: int
) -> FloatArray:
    """Sample scores for requests (r, M, n), each send in the context of the trigger that it answers.

    ``counts`` are the numbers of contexts of the requests. ``answered`` are the context (r, n) and the number (n,) of
    each send. All contexts of a request have its seed.
    """
    contexts, sends = answered
    return sample(np.repeat(seeds, counts), draws)[contexts[:, None, :], np.arange(draws)[:, None], sends]


def _sample(
    sample: AssessmentSampler, seeds: SampleSeeds, requests: IntArray, eligible: BoolArray, draws: int
) -> FloatArray:
    """Sample the scores of eligible sends for all requests (r, M, n), -∞ for the others.

    ``requests`` are those with an eligible send, ``eligible`` is (r, n).
    """
    tables = np.full((len(eligible), draws, eligible.shape[1]), -np.inf)
    tables[requests] = np.where(eligible[requests, None, :], sample(seeds.of(requests), draws), -np.inf)
    return tables


def _no_samples(scores: FloatArray, draws: int) -> FloatArray:
    """Return the sampled scores (r, M, n) where no send is eligible."""
    return np.repeat(scores[:, None, :], draws, axis=1)


def _rows(values: FloatArray, requests: IntArray, count: int) -> FloatArray:
    """Return an array with a row per request: the values of some requests, and zeros for the others."""
    if len(requests) == count:
        return values
    rows = np.zeros((count, values.shape[1]))
    rows[requests] = values
    return rows


@dataclass(frozen=True)
class PolicyFactory:
    """One kind of policy: its name in commands, settings and the log, and how it is made.

    ``description`` completes the sentence "The policy is …". ``make`` returns the policy of a service that has
    learned nothing yet. A policy that learns also has ``make_version``: it makes the policy of a model version.
    """

    name: str
    description: str
    make: Callable[[Rulebook], Policy]
    make_version: Callable[[ModelSnapshot, Rulebook, int], Policy] | None = None

    @property
    def learns(self) -> bool:
        return self.make_version is not None

    def with_hold_share(self, hold_share: float) -> PolicyFactory:
        """Return the factory of the same policies with a hold share."""
        make, make_version = self.make, self.make_version
        return replace(
            self,
            make=_with_hold_share(make, hold_share),
            make_version=None if make_version is None else _with_hold_share(make_version, hold_share),
        )


def _with_hold_share(make: Callable[_Arguments, Policy], hold_share: float) -> Callable[_Arguments, Policy]:
    def make_with_hold_share(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Policy:
        return replace(make(*args, **kwargs), hold_share=hold_share)

    return make_with_hold_share
