"""A small log of others in dsjson: shoppers by day and night, three articles, and what each earns."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from offline_eval import estimate_values, make_estimators
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.dsjson.reading import read_dsjson
from offline_eval.reward_models import LogModel
from offline_eval.targets import CallableTarget, Target
from offline_eval.weighing import Weighing

Event = dict[str, Any]

ARTICLES = {"hat": "red", "bag": "blue", "belt": "green"}
"""Articles with their colours."""

CHANCE = {"day": (0.9, 0.3, 0.1), "night": (0.2, 0.3, 0.8)}
"""How likely each article is bought, by time."""

CHOICE = np.array([0.7, 0.2, 0.1])
"""A target: how it chooses among the articles, whatever their order."""


def make_events(count: int, seed: int) -> list[Event]:
    """Return events whose actions stand in the order of `ARTICLES`."""
    random = np.random.default_rng(seed)
    events = []
    for number in range(count):
        time = ("day", "night")[int(random.integers(2))]
        logged = random.dirichlet([4.0, 4.0, 4.0]) * 0.7 + 0.1
        drawn = int(random.choice(3, p=logged))
        reward = float(random.random() < CHANCE[time][drawn])
        ranked = [drawn, *(place for place in range(3) if place != drawn)]
        events.append(
            {
                "_label_cost": -reward,
                "_label_probability": float(logged[drawn]),
                "_label_Action": drawn + 1,
                "_labelIndex": 0,
                "EventId": f"e-{number}",
                "a": [place + 1 for place in ranked],
                "p": [float(logged[place]) for place in ranked],
                "c": {
                    "url": {"time": time, "locale": "de"},
                    "_multi": [
                        {"_tag": name, "i": {"id": name}, "j": {"colour": colour}} for name, colour in ARTICLES.items()
                    ],
                },
            }
        )
    return events


def shuffle_actions(event: Event, order: Iterable[int]) -> Event:
    """Return the event with its actions in another order: the same decision."""
    places = list(order)
    new = {old + 1: place + 1 for place, old in enumerate(places)}
    context = {**event["c"], "_multi": [event["c"]["_multi"][place] for place in places]}
    return {
        **event,
        "_label_Action": new[event["_label_Action"]],
        "a": [new[number] for number in event["a"]],
        "c": context,
    }


def strip_names(event: Event, *names: str) -> Event:
    """Return the event without some of the names of its actions."""
    actions = [{name: value for name, value in action.items() if name not in names} for action in event["c"]["_multi"]]
    return {**event, "c": {**event["c"], "_multi": actions}}


def write_events(path: Path, events: Iterable[Event]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def pack(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def choose(decision: LoggedDecision) -> np.ndarray:
    """The target: it knows an article by its colour, wherever it stands."""
    return np.array([CHOICE[_find_article(features)] for features in decision.action_features])


def _find_article(features: Iterable[str]) -> int:
    return next(place for place, colour in enumerate(ARTICLES.values()) if f"x_j.colour_{colour}" in features)


def weigh(decisions: Iterable[LoggedDecision], target: Target | None = None) -> dict[str, float]:
    """Return the value of every estimator, with the reward model of the log."""
    log = list(decisions)
    weighing = Weighing(target or CallableTarget(choose), predict=LogModel().fit(log).predict)
    return estimate_values(make_estimators(tau=2.0), weighing.batches(log))


def values_of(path: Path, target: Target | None = None) -> dict[str, float]:
    return weigh(read_dsjson(path), target)
