"""How fast the learner is: prepared interactions, the whole fold, and the fold without the model."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from unittest.mock import patch

from benchmarks.speed.logs import long_log, real_log
from benchmarks.speed.ranges import median
from decision_service.cli.measurements import Measured
from decision_service.database.sqlite_url import make_url
from decision_service.learning.learner import Learner
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.log.facts import store_salt
from decision_service.log.reading import find_events, read_rows
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.state.shopper_keys import ShopperKeys
from policies.learning.fold import Learning
from policies.learning.interactions import Interaction
from policies.models.learned import DEFAULT
from policies.models.registry import find_learning
from policies.records.rows import Row

_GROUP = 500
_POLICIES = {"default": "learn", "bayes": "learn.bayes"}
"""Policy → how the names of its figures begin."""

Say = Callable[[str], None]


def measure(rows: int, rounds: int, seed: int, say: Say) -> list[Measured]:
    """Measure the learner on a log of a real service."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        say(f"recording {rows:,} rows of a service")
        recorded = real_log.record(rows, Path(directory) / "service", seed)
        data_dir = Path(directory) / "log"
        write(recorded, data_dir)
        say(f"folding {rows:,} rows {rounds} times, with and without the model")
        interactions = _make_interactions(data_dir)
        learned, folded, joined = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list), []
        for number in range(rounds):
            for policy in _POLICIES:
                learned[policy].append(_rate(len(interactions), partial(_learn, interactions, policy)))
                folded[policy].append(fold_rate(data_dir, Path(directory) / f"models-{policy}-{number}", policy))
            with _without_model():
                joined.append(fold_rate(data_dir, Path(directory) / f"no-models-{number}"))
    results = [median("learn.fold_without_model_per_s", joined, "rows/s of one core: read, join, checkpoint")]
    for policy, prefix in _POLICIES.items():
        unit = "prepared interactions/s of one core, features and learning"
        results.append(median(f"{prefix}.interactions_per_s", learned[policy], unit))
        results.append(
            median(f"{prefix}.fold_per_s", folded[policy], "rows/s of one core: read, join, learn, checkpoint")
        )
    return results


def write(rows: Sequence[Row], data_dir: Path, times: int = 1) -> list[float]:
    """Write a new log; return the CPU µs per row of each group of rows."""
    data_dir.mkdir(parents=True)
    log, took = real_log.open_log(data_dir), []
    try:
        numbered = long_log.new_rows(long_log.multiply(rows, times))
        while group := list(islice(numbered, _GROUP)):
            begin = time.thread_time()
            log.append(group)
            took.append((time.thread_time() - begin) / len(group) * 1e6)
    finally:
        log.close()
    return took


def fold_rate(data_dir: Path, models: Path, policy: str = DEFAULT.name) -> float:
    """Fold a log from its beginning to a checkpoint; return the rows per second of CPU time."""
    models.mkdir()
    log, registry = real_log.open_log(data_dir), SqlRegistry.open(make_url(models / "models.sqlite"))
    learner = Learner(log, registry, None, ErasedShoppers(log, ShopperKeys(store_salt(log))), policy)
    head = log.head().position
    rate = _rate(head, lambda: learner.catch_up(head))
    learner.stop()
    return rate


@contextmanager
def _without_model() -> Iterator[None]:
    """Learn nothing from an interaction, so that only the rest of the fold is measured."""
    with patch.object(Learning, "_learn", lambda self, interaction: None):
        yield


def _make_interactions(data_dir: Path) -> list[Interaction]:
    log = real_log.open_log(data_dir)
    try:
        with _without_model():
            learning = Learning(lambda event_ids: find_events(log, event_ids), find_learning(DEFAULT.name).make_learner)
            return [one for stored in read_rows(log) for one in learning.fold(stored.position, stored.row)]
    finally:
        log.close()


def _learn(interactions: Sequence[Interaction], policy: str) -> None:
    learner = find_learning(policy).make_learner(None)
    for interaction in interactions:
        learner.learn(interaction)


def _rate(count: int, work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return count / (time.process_time() - begin)
