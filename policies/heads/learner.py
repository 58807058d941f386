"""Learning: sends and their outcomes, one pass, all heads together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.catalogue.action_space import JointAction
from policies.heads.crossings import Crossing, Key
from policies.heads.features import Features, SlotValue
from policies.heads.snapshot import HeadsSnapshot, priors_of
from policies.heads.tables import HEADS, TABLES_VERSION, HeadTable
from policies.heads.token_register import TokenRegister
from policies.heads.weights import Change, GaussianWeights

_DAY_S = 86_400.0


class Observation(NamedTuple):
    """``positives`` of ``trials`` sends ended so: (1, 1) for a click, (0, 1) for none, (0, 0) where nothing is seen.

    Both may be fractions: (.5, .5) is a click that counts half.
    """

    positives: float
    trials: float = 1.0


NOTHING = Observation(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SendWeights:
    """The weights of one send: their numbers (t,) and their values x (t,). All heads share them."""

    numbers: IntArray
    values: FloatArray


class HeadsLearner:
    """Learns the weights of all heads, an interaction at a time.

    The same interactions in the same order give the same bytes, whether or not the learner was saved in between.

    Parameters
    ----------
    tables
        The heads.
    half_life_s
        Forgetting: after this time an observation counts half, so a weight that meets no others goes back to its prior.
        The learner forgets at the first interaction of each day (UTC). None: it never forgets.

    Examples
    --------
    >>> learner = HeadsLearner()
    >>> send = learner.find_weights(Features({"trigger": ("wishlist",)}), JointAction("hint", "push", 0), "browse")
    >>> before = learner.learn(send, {"click": Observation(1.0), "out": Observation(0.0)})
    >>> after = learner.learn(send, {})
    >>> before["click"] < after["click"], before["out"] > after["out"]
    (True, True)

    References
    ----------
    McMahan et al. (2013), Ad click prediction: a view from the trenches (steps of each weight's own width).
    Graepel et al. (2010), Web-scale Bayesian click-through rate prediction. Chapelle & Li (2011), An empirical
    evaluation of Thompson sampling (Algorithm 3: the precision grows by x²·p·(1 - p)).
    """

    def __init__(self, tables: Sequence[HeadTable] = HEADS, half_life_s: float | None = None) -> None:
        if half_life_s is not None and not half_life_s > 0.0:
            raise ValueError(f"the half-life must be above 0, not {half_life_s}")
        self._tables = tuple(tables)
        self._half_life_s = half_life_s
        self._weights = GaussianWeights([table.bias for table in tables])
        self._priors = _stack_priors(tables)
        self._crossings = _union(tables)
        self._keys: dict[Key, int] = {}
        self._register = TokenRegister()
        self._day: int | None = None

    def find_weights(self, features: Features, action: JointAction, category: str) -> SendWeights:
        """Return the weights of a send, and admit those that are new.

        Parameters
        ----------
        features
            What the heads saw when the send was decided.
        action, category
            The send, and the category of its message.
        """
        slots: dict[str, SlotValue] = {
            "message": action.message,
            "category": category,
            "channel": action.channel,
            "delay": action.delay_s,
        }
        tokens = {
            name: [token for token in of_name if self._register.admit(name, token)]
            for name, of_name in features.tokens.items()
        }
        numbers, values = list[int](), list[float]()
        for crossing in self._crossings:
            value = _value(crossing, features, slots)
            if value != 0.0:
                for key in _keys(crossing, features, slots, tokens):
                    numbers.append(self._number(crossing.name, key))
                    values.append(value)
        return SendWeights(np.array(numbers, dtype=np.int64), np.array(values, dtype=np.float64))

    def learn(
        self,
        send: SendWeights,
        now: Mapping[str, Observation],
        before: Mapping[str, Observation] | None = None,
    ) -> dict[str, float]:
        """Learn what was observed of a send, and return the probability of each head that was expected before the step.

        A head without an observation learns nothing. With ``before`` the step is a correction: the observations replace
        those that the send was learned with. The step then adds what the score x·(positives - trials·p) of the new
        observation has more than that of the old one, at the present weights. Information changes only by the change in
        trials: a click instead of none moves the means and leaves the information as it is. So a chain of corrections
        ends, but for terms of second order in the step, where its last observation alone would have led; replacing an
        observation by `NOTHING` takes it back.

        Parameters
        ----------
        send
            What `find_weights` returned.
        now, before
            By head.
        """
        changes = [
            _difference(now.get(table.name, NOTHING), (before or {}).get(table.name, NOTHING)) for table in self._tables
        ]
        change = Change(*np.array(changes, dtype=np.float64).T)
        expected = self._weights.step(send.numbers, send.values, change)
        return dict(zip((table.name for table in self._tables), expected.tolist(), strict=True))

    def pass_time(self, at: float) -> None:
        """Forget what is due before the next interaction, at a time in seconds since the epoch."""
        if self._half_life_s is None:
            return
        day = math.floor(at / _DAY_S)
        if self._day is not None and day > self._day:
            self._weights.forget(0.5 ** ((day - self._day) * _DAY_S / self._half_life_s))
        self._day = day if self._day is None else max(day, self._day)

    def snapshot(self) -> HeadsSnapshot:
        """Return everything that was learned: to save it, or to publish it."""
        learned = [self._weights.learned_weights(head) for head in range(len(self._tables))]
        return HeadsSnapshot(
            tables_version=TABLES_VERSION,
            priors=priors_of(self._tables),
            tokens=self._register.lists(),
            keys=list(self._keys),
            heads={
                table.name: (numbers.astype(np.uint32).tobytes(), means.tobytes(), information.tobytes())
                for table, (numbers, means, information) in zip(self._tables, learned, strict=True)
            },
            day=self._day,
        )

    @classmethod
    def of(
        cls, snapshot: HeadsSnapshot, tables: Sequence[HeadTable] = HEADS, half_life_s: float | None = None
    ) -> HeadsLearner:
        """Return a learner that goes on from a snapshot as the learner would that made it.

        Raises
        ------
        HeadsMismatch
            When the snapshot was learned with other tables.
        """
        snapshot.check(tables)
        learner = cls(tables, half_life_s)
        learner._register = TokenRegister(snapshot.tokens)
        learner._day = snapshot.day
        for key in snapshot.keys:
            learner._number(str(key[0]), key)
        for head, table in enumerate(tables):
            numbers, means, information = snapshot.heads[table.name]
            learner._weights.restore(
                head, np.frombuffer(numbers, np.uint32), np.frombuffer(means), np.frombuffer(information)
            )
        return learner

    def _number(self, crossing: str, key: Key) -> int:
        number = self._keys.get(key)
        if number is None:
            number = self._keys[key] = self._weights.add(*self._priors[crossing])
        return number


def _difference(now: Observation, before: Observation) -> tuple[float, float, float]:
    return now.positives - before.positives, now.trials - before.trials, max(now.trials, before.trials)


def _value(crossing: Crossing, features: Features, slots: Mapping[str, SlotValue]) -> float:
    if crossing.number is None:
        return 1.0
    return features.number(crossing.number, slots[crossing.axis or "delay"])


def _keys(
    crossing: Crossing,
    features: Features,
    slots: Mapping[str, SlotValue],
    tokens: Mapping[str, Sequence[str]],
) -> list[Key]:
    """Return the keys of the weights that a send has of a crossing, one for each combination of tokens."""
    first: Key = (crossing.name, *[slots[slot] for slot in crossing.slots])
    if crossing.moment is not None:
        token = features.moments.get(crossing.moment, {}).get(int(slots["delay"]))
        if token is None:
            return []
        first = (*first, token)
    keys = [first]
    for name in crossing.tokens:
        keys = [(*key, token) for key in keys for token in tokens.get(name, ())]
    return keys


def _union(tables: Sequence[HeadTable]) -> tuple[Crossing, ...]:
    """Return the crossings of all heads, each once."""
    return tuple(dict.fromkeys(crossing for table in tables for crossing in table.crossings))


def _stack_priors(tables: Sequence[HeadTable]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return the prior means (h,) and variances (h,) of the weights of each crossing; 0 for heads without the line."""
    priors = dict[str, tuple[FloatArray, FloatArray]]()
    for crossing in _union(tables):
        lines = [table.lines.get(crossing.name, (0.0, 0.0)) for table in tables]
        priors[crossing.name] = np.array([mean for _, mean in lines]), np.array([sd * sd for sd, _ in lines])
    return priors
