"""From feedback to a live model: how soon the service answers with a version that contains a row of the log."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.running_service import run_service
from benchmarks.speed import busy_shop
from benchmarks.speed.logs import real_log
from benchmarks.speed.serving.window import quantile
from decision_service.cli.measurements import Measured
from decision_service.database.sqlite_url import make_url
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.log.reading import read_rows

_TICK_S = 0.1
_FEEDBACK_PER_SEND = 2
_WARM_UP_S = 5.0
_WAITS_S = 60.0

Say = Callable[[str], None]


@dataclass
class Caller:
    """Decides and reports feedback at a steady rate, and notes when each model version answered first.

    Parameters
    ----------
    url
        The service.
    per_s
        Feedbacks per second.
    """

    url: str
    per_s: int
    first_seen: dict[int, float] = field(default_factory=dict)
    fed_back: int = 0
    _number: int = 0

    def run(self, seconds: float) -> None:
        """Call for so many seconds."""
        begin = due = time.time()
        while due < begin + seconds:
            time.sleep(max(0.0, due - time.time()))
            self._feed_back(self._decide())
            due += _TICK_S

    def wait_for_next_version(self) -> None:
        """Decide until a version answers that did not answer before, so that the last rows are live."""
        known, deadline = max(self.first_seen, default=0), time.time() + _WAITS_S
        while max(self.first_seen, default=0) == known and time.time() < deadline:
            time.sleep(_TICK_S)
            self._decide()

    def _decide(self) -> list[str]:
        """Decide about new shoppers; return the event ids of the sends."""
        count = round(self.per_s * _TICK_S / _FEEDBACK_PER_SEND)
        decides = [self._make_decide() for _ in range(count)]
        results = self._post("/v1/decide/batch", {"decisions": decides})["results"]
        for result in results:
            self.first_seen.setdefault(result["policy"]["version"], time.time())
        return [result["event_id"] for result in results if result["decision"] == "send"]

    def _make_decide(self) -> dict[str, Any]:
        self._number += 1
        trigger = {"type": "cart_abandoned", "attributes": {"product": "Runner 3"}}
        return {"shopper_id": f"s-{self._number}", "triggers": [trigger], "context": {"device": "mobile"}}

    def _feed_back(self, event_ids: Sequence[str]) -> None:
        kinds = ("delivered", "click")
        events = [{"event_id": event_id, "type": kind} for event_id in event_ids for kind in kinds]
        self.fed_back += self._post("/v1/feedback", {"events": events})["accepted"] if events else 0

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=_WAITS_S) as response:
            return json.load(response)


def measure(per_s: int, seconds: float, say: Say) -> list[Measured]:
    """Measure the delays at a rate of feedback, with attribution windows of one second."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        catalogue, data_dir = Path(directory) / "catalogue.yaml", Path(directory) / "data"
        catalogue.write_text(json.dumps(make_catalogue()), encoding="utf-8")
        say(f"{per_s} feedbacks/s for {seconds:.0f} s")
        with run_service("--catalog", str(catalogue), data_dir=data_dir) as url:
            caller = Caller(url, per_s)
            begin = time.time()
            caller.run(_WARM_UP_S + seconds)
            took = time.time() - begin
            caller.wait_for_next_version()
        committed, folded = read_times(data_dir, begin + _WARM_UP_S, begin + took), read_versions(data_dir)
    waits = find_waits(committed, folded, caller.first_seen)
    milliseconds = [int(wait * 1_000) for wait in waits]
    about = f"s from the commit of a row to the first answer with a version that contains it, {len(waits):,} rows"
    return [
        Measured(
            "learn.feedback_to_live_s",
            quantile(milliseconds, 0.5) / 1_000,
            min(waits),
            max(waits),
            f"{about}; median; interval: all rows",
        ),
        Measured("learn.feedback_to_live_s.p99", quantile(milliseconds, 0.99) / 1_000, unit=about),
        Measured("learn.feedback_per_s", caller.fed_back / took, unit="feedbacks/s that were accepted, in lists"),
    ]


def make_catalogue() -> dict[str, Any]:
    """Return a catalogue whose sends leave at once, with attribution windows of one second."""
    document = busy_shop.document(12, 4)
    for channel in document["channels"].values():
        del channel["quiet_hours"]
        channel["attribution_window_s"] = 1
        channel["daily_budget"] = 1_000_000
    return document | {"delays_s": [0], "arms": {"holdout": 0.0}}


def read_times(data_dir: Path, begin: float, end: float) -> list[tuple[int, float]]:
    """Return position and time of the rows between two times."""
    log = real_log.open_log(data_dir)
    try:
        return [(stored.position, stored.at) for stored in read_rows(log) if begin <= stored.at < end]
    finally:
        log.close()


def read_versions(data_dir: Path) -> dict[int, int]:
    """Return the published versions with the last position that each contains."""
    registry = SqlRegistry.open(make_url(data_dir / "models.sqlite"))
    try:
        return {version.number: int(version.metadata["position"]) for version in registry.history(1_000)}
    finally:
        registry.close()


def find_waits(
    committed: Sequence[tuple[int, float]], folded: dict[int, int], first_seen: dict[int, float]
) -> list[float]:
    """Return for each row how long it took until a version answered that contains it.

    Examples
    --------
    Version 1 contains the rows up to 10 and answered at 5.0; version 2 those up to 20, and answered at 7.5:

    >>> find_waits([(9, 4.0), (11, 4.5), (20, 6.0), (21, 7.0)], {1: 10, 2: 20}, {1: 5.0, 2: 7.5})
    [1.0, 3.0, 1.5]
    """
    seen = sorted((folded[version], at) for version, at in first_seen.items() if version in folded)
    positions = [position for position, _ in seen]
    places = ((bisect_left(positions, position), at) for position, at in committed)
    return [seen[place][1] - at for place, at in places if place < len(seen)]
