"""Randomised offers: the project's learner learns a policy on one half of the customers; the other half evaluates it.

The log has 76,277 offers, with the reward 1 for a completed offer. Each of the ten arms was drawn with probability
.1, independently of the customer.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from decision_service.cli.measurements import Measured
from offline_eval import EvaluationReport, LoggedBatch, Question, evaluate, make_estimators
from offline_eval.reward_models import cross_fit
from policies.catalogue.action_space import ActionSpace, JointAction
from policies.catalogue.document import Catalogue
from policies.models.compiled import CompiledModel, ModelSnapshot
from policies.models.features import example_text
from policies.models.vw import OPTIONS, TwoHeads
from policies.records.rows import Context

PROPENSITY = 0.1
_CHANNELS = ("web", "mobile", "social")


@dataclass(frozen=True)
class Offers:
    """The log as columns (n,); ``features`` (n, d) describe the customer for the reward model."""

    customers: np.ndarray
    arms: np.ndarray
    completed: np.ndarray
    contexts: list[Context]
    features: np.ndarray
    space: ActionSpace

    def part(self, mask: np.ndarray) -> Offers:
        """Return the offers at which the mask (n,) is true."""
        chosen = np.flatnonzero(mask)
        contexts = [self.contexts[number] for number in chosen.tolist()]
        arrays = (self.customers[chosen], self.arms[chosen], self.completed[chosen])
        return Offers(*arrays, contexts, self.features[chosen], self.space)


def read_offers(path: Path) -> Offers:
    """Read the log, in time order."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        records = sorted(csv.DictReader(file), key=lambda record: float(record["t_hours"]))
    first = {record["offer_id"]: record for record in records}
    arms = sorted(first)
    catalogue = Catalogue.from_document(_document({arm: first[arm] for arm in arms}))
    space = ActionSpace.of(catalogue)
    return Offers(
        customers=np.array([record["customer_id"] for record in records]),
        arms=np.array([arms.index(record["offer_id"]) for record in records]),
        completed=np.array([float(record["offer_completed"]) for record in records]),
        contexts=[_context(record) for record in records],
        features=np.array([_features(record) for record in records]),
        space=space,
    )


def _document(arms: dict[str, dict[str, str]]) -> dict[str, object]:
    """Return the arms as a catalogue: one message for each arm, on one channel that stands for all its channels."""
    groups = {
        arm: "_".join(["email", *(name for name in _CHANNELS if record[f"ch_{name}"] in ("1", "1.0", "True"))])
        for arm, record in arms.items()
    }
    return {
        "delays_s": [0],
        "channels": {group: {"attribution_window_s": 86_400} for group in sorted(set(groups.values()))},
        "triggers": {"offer": {"expires_s": 86_400}},
        "messages": {
            f"offer_{number}": {
                "category": record["offer_type"].lower(),
                "triggers": ["offer"],
                "templates": {groups[arm]: {"en": {"title": "Offer", "body": "Offer"}}},
            }
            for number, (arm, record) in enumerate(arms.items())
        },
    }


def _context(record: dict[str, str]) -> dict[str, str | float | int | bool]:
    age = float(record["age"] or 118)
    income = float(record["income"] or 0)
    return {
        "segment": f"income_{int(income // 20_000)}" if income else "income_unknown",
        "age": "unknown" if age == 118 else f"{int(age // 15)}",
        "gender": record["gender"] or "unknown",
        "tenure": f"{int(float(record['tenure_days']) // 365)}",
    }


def _features(record: dict[str, str]) -> list[float]:
    age, income = float(record["age"] or 118), float(record["income"] or 0)
    unknown = float(age == 118)
    tenure = float(record["tenure_days"]) / 1_000
    genders = [float(record["gender"] == gender) for gender in ("F", "M", "O")]
    return [unknown, (1 - unknown) * age / 100, income / 100_000, tenure, *genders]


def learn_greedy_arms(offers: Offers) -> Callable[[Iterable[Context]], np.ndarray]:
    """Learn with the project's learner, in time order; return a function from contexts to greedy arms."""
    heads, space = TwoHeads(), offers.space
    categories = {space[number]: space.categories[space.message_of[number]] for number in range(len(space))}
    for context, arm, completed in zip(offers.contexts, offers.arms.tolist(), offers.completed.tolist(), strict=True):
        action: JointAction = space[arm]
        heads.learn(example_text(context, action, categories[action]), positive=completed > 0, opted_out=False)
    positive, out = heads.weights()
    snapshot = ModelSnapshot(
        OPTIONS,
        len(offers.arms),
        (positive.indices.tobytes(), positive.values.tobytes()),
        (out.indices.tobytes(), out.values.tobytes()),
        {"": 1.0},
        0.0,
    )
    compiled = CompiledModel(snapshot, space, OPTIONS)
    return lambda contexts: compiled.predict([*contexts]).p_positive.argmax(axis=1)


def weigh(offers: Offers, chosen: np.ndarray) -> LoggedBatch:
    """Return the offers as a batch for a target that chooses one arm for each; cross-fits the reward model."""
    predicted = cross_fit(offers.features, offers.arms, offers.completed, 10, shoppers=offers.customers)
    every = np.arange(len(offers.arms))
    return LoggedBatch.of(
        reward=offers.completed,
        propensity=np.full(len(offers.arms), PROPENSITY),
        target_propensity=(offers.arms == chosen).astype(np.float64),
        q_chosen=predicted[every, offers.arms],
        v_target=predicted[every, chosen],
        shoppers=offers.customers,
    )


def split_customers(offers: Offers, seed: int) -> tuple[Offers, Offers]:
    """Split the customers into two random halves."""
    names = np.unique(offers.customers)
    chosen = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
    mask = np.isin(offers.customers, chosen)
    return offers.part(mask), offers.part(~mask)


def evaluate_half(offers: Offers, seed: int) -> EvaluationReport:
    """Learn on one half of the customers, and evaluate on the other."""
    train, test = split_customers(offers, seed)
    chosen = learn_greedy_arms(train)(test.contexts)
    return evaluate(weigh(test, chosen), Question(estimators=make_estimators(["ipw", "snipw", "dr"])))


def measure(path: Path, halves: int) -> list[Measured]:
    """Measure the completions of the learned policy over random halves, the best single arm and uniform choice."""
    offers = read_offers(path)
    reports = [evaluate_half(offers, seed) for seed in range(halves)]
    estimates = [{estimate.name: estimate for estimate in report.estimates} for report in reports]
    single = [float(offers.completed[offers.arms == arm].mean()) for arm in range(10)]
    results = [
        Measured(
            f"offers.learned.{name}", float(np.mean([by_name[name].value for by_name in estimates])), unit="completion"
        )
        for name in ("ipw", "snipw", "dr")
    ]
    results += [
        Measured("offers.uniform", float(offers.completed.mean()), unit="completion"),
        Measured("offers.best_single_arm", max(single), unit="completion"),
        Measured(
            "offers.verdict_trust", float(np.mean([r.verdict.level == 0 for r in reports])), unit=f"of {halves} halves"
        ),
    ]
    for seed, by_name in enumerate(estimates):
        dr = by_name["dr"]
        results.append(Measured(f"offers.learned.dr.half_{seed}", dr.value, dr.low, dr.high, "completion"))
    return results
