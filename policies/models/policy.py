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
from policies.learning.model_learner import ModelLearner
from policies.models.floor import check_epsilon, with_floor
from policies.models.hold_share import check_hold_share, with_hold_share
from policies.records.model_input import ModelInput
from policies.records.rows import PolicyRecord
from policies.rules.arbitration import Eligibles

DEFAULT_EPSILON = 0.02

_Arguments = ParamSpec("_Arguments")

AssessmentSampler = Callable[[SeedArray, int], FloatArray]
"""Takes a seed for each input and a number of draws (M), and returns sampled scores of all sends (inputs, M, n).

In each draw all sends are scored by the same drawn model. What is drawn for an input depends on this input and its
seed alone, to the byte; inputs of the same seed are scored by the same drawn models.
"""


@dataclass(frozen=True)
class Assessment:
    """The scores of all joint actions and, from a model that knows them, their probabilities of an opt-out and a click.

    The arrays have shape (inputs, n). HOLD is the joint action without features: its score is exactly 0. Of a model
    that is a posterior distribution all are means; ``sample`` then draws scores from this distribution.
    """

    scores: FloatArray
    p_out: FloatArray | None = None
    p_click: FloatArray | None = None
    sample: AssessmentSampler | None = None

    @classmethod
    def of_all(cls, inputs: Sequence[ModelInput], scores: FloatArray, p_out: FloatArray | None = None) -> Assessment:
        """Return the same scores (n,) and opt-out probabilities (n,) for every input."""
        shape = len(inputs), len(scores)
        return cls(np.broadcast_to(scores, shape), None if p_out is None else np.broadcast_to(p_out, shape))


class Model(Protocol):
    """A model scores joint actions."""

    def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
        """Return the scores of all sends of the rulebook's action space for each input.

        The scores for an input are the same to the byte whatever other inputs are in the list.
        """
        ...


@dataclass(frozen=True)
class AssessmentTable:
    """A model of requests whose assessments were computed before: a row for each request.

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

    def assess(self, inputs: Sequence[ModelInput], rulebook: Rulebook) -> Assessment:
        """Return the rows of the requests that the inputs are of."""
        rows = [self.rows[model_input.event_id] for model_input in inputs]
        scores, p_out = self.assessment.scores, self.assessment.p_out
        return Assessment(scores[rows], None if p_out is None else p_out[rows])


@dataclass(frozen=True)
class Distributions:
    """Distributions of a list of requests (r) over all joint actions (n); HOLD is column n.

    ``probabilities`` (r, n + 1) are 0 for what is not eligible. ``p_out`` and ``p_click`` (r, n) are the probabilities
    of an opt-out and of a click of the sends, without meaning for sends that are not eligible; None if the model knows
    none, or no request has an eligible send.
    """

    probabilities: FloatArray
    p_out: FloatArray | None = None
    p_click: FloatArray | None = None


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
    model: Model | None = None
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
        scores, p_out, p_click, sample = np.full(eligibles.verdicts.shape, -np.inf), None, None, None
        requests = np.flatnonzero(eligible[:, :-1].any(axis=1))
        if len(requests):
            assessment = _assess(self.model, eligibles, requests, rulebook)
            np.copyto(scores, _rows(assessment.scores, requests, len(scores)), where=eligible[:, :-1])
            p_out = _known_rows(assessment.p_out, requests, len(scores))
            p_click = _known_rows(assessment.p_click, requests, len(scores))
            if assessment.sample is not None and seeds is not None:
                sample = partial(_sample, assessment.sample, seeds, requests, eligible[:, :-1])
        else:
            sample = partial(_no_samples, scores)
        explored = self.exploration.explore(Scores(scores, eligibles.hold, sample))
        probabilities = with_floor(explored, scores, eligible, rulebook.space.pair_numbers, self.epsilon)
        return Distributions(with_hold_share(probabilities, eligible, self.hold_share), p_out, p_click)


def _assess(model: Model, eligibles: Eligibles, requests: IntArray, rulebook: Rulebook) -> Assessment:
    """Assess all sends for some requests, each send in the context of the trigger that it answers."""
    inputs = [eligibles.inputs[request] for request in requests.tolist()]
    assessment = model.assess([model_input for of_request in inputs for model_input in of_request], rulebook)
    if eligibles.trigger_of is None:
        return assessment
    counts = [*map(len, inputs)]
    first = np.cumsum([0, *counts[:-1]])[:, None]
    answered = first + np.maximum(eligibles.trigger_of[requests], 0), np.arange(len(rulebook.space))
    p_out, p_click, sample = assessment.p_out, assessment.p_click, assessment.sample
    return Assessment(
        assessment.scores[answered],
        None if p_out is None else p_out[answered],
        None if p_click is None else p_click[answered],
        None if sample is None else partial(_sample_answered, sample, counts, answered),
    )


def _sample_answered(
    sample: AssessmentSampler, counts: list[int], answered: tuple[IntArray, IntArray], seeds: SeedArray, draws: int
) -> FloatArray:
    """Sample scores for requests (r, M, n), each send in the context of the trigger that it answers.

    ``counts`` are the numbers of inputs of the requests. ``answered`` are the input (r, n) and the number (n,) of each
    send. All inputs of a request have its seed.
    """
    inputs, sends = answered
    return sample(np.repeat(seeds, counts), draws)[inputs[:, None, :], np.arange(draws)[:, None], sends]


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


def _known_rows(values: FloatArray | None, requests: IntArray, count: int) -> FloatArray | None:
    return None if values is None else _rows(values, requests, count)


def _rows(values: FloatArray, requests: IntArray, count: int) -> FloatArray:
    """Return an array with a row per request: the values of some requests, and zeros for the others."""
    if len(requests) == count:
        return values
    rows = np.zeros((count, values.shape[1]))
    rows[requests] = values
    return rows


@dataclass(frozen=True)
class LearningParts:
    """What a kind of policy needs to learn.

    Parameters
    ----------
    make_learner
        Makes the learner, from what its `to_bytes` saved, or from nothing.
    make_version
        Makes the policy of a model version from what the learner published, for a catalogue; the last argument is the
        number of the version. Raises `ModelMismatch` where the model cannot be scored here.
    """

    make_learner: Callable[[bytes | None], ModelLearner]
    make_version: Callable[[bytes, Rulebook, int], Policy]


@dataclass(frozen=True)
class PolicyFactory:
    """One kind of policy: its name in commands, settings and the log, and how it is made.

    ``description`` completes the sentence "The policy is …". ``make`` returns the policy of a service that has
    learned nothing yet. Only a policy that learns has ``learning``.
    """

    name: str
    description: str
    make: Callable[[Rulebook], Policy]
    learning: LearningParts | None = None

    @property
    def learns(self) -> bool:
        return self.learning is not None

    def with_hold_share(self, hold_share: float) -> PolicyFactory:
        """Return the factory of the same policies with a hold share."""
        make, learning = _with_hold_share(self.make, hold_share), self.learning
        if learning is not None:
            learning = replace(learning, make_version=_with_hold_share(learning.make_version, hold_share))
        return replace(self, make=make, learning=learning)


def _with_hold_share(make: Callable[_Arguments, Policy], hold_share: float) -> Callable[_Arguments, Policy]:
    def make_with_hold_share(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Policy:
        return replace(make(*args, **kwargs), hold_share=hold_share)

    return make_with_hold_share
