"""The store: a finished run is not done again, and the result of an interrupted comparison is the same."""

from __future__ import annotations

from pathlib import Path

from simulators.regret.finished_run import FinishedRun, ReactionSums, SendCell, SendSums
from simulators.regret.run_store import RunStore, Task, estimate_s

TASKS = [Task("world-60", 2, 30, seed, contender) for seed in (1, 2) for contender in ("rule", "default")]


class Player:
    """Plays runs that depend on their task alone, and counts them."""

    def __init__(self) -> None:
        self.played: list[Task] = []

    def play(self, task: Task) -> FinishedRun:
        self.played.append(task)
        share = 1.0 / (3.0 + task.seed)
        cell = SendCell("sms", 3_600, 2, SendSums(3, 2, ReactionSums(None, share, 1), ReactionSums(share, share, 0)))
        return FinishedRun(
            shoppers=30,
            cpu_s=6.0 if task.contender == "default" else 3.0,
            values=[share, 2 * share],
            realised=[0.0, -share],
            sends=[1, 2],
            withdrawals=[share, 0.0],
            withdrawals_realised=[1, 0],
            reach=share,
            cells=[cell],
            slopes={"out": share},
        )


def test_runs_that_are_kept_are_read_again_as_they_were(tmp_path: Path) -> None:
    store, first, second = RunStore(tmp_path, "abc"), Player(), Player()
    whole = [store.finish(task, first.play) for task in TASKS]
    assert store.missing(TASKS) == []
    assert [store.finish(task, second.play) for task in TASKS] == whole
    assert second.played == []


def test_an_interrupted_comparison_continues(tmp_path: Path) -> None:
    whole = [Player().play(task) for task in TASKS]
    store, player = RunStore(tmp_path, "abc"), Player()
    for task in TASKS[:2]:
        store.finish(task, player.play)
    (tmp_path / "abc" / TASKS[2].file_name).with_suffix(".part").write_text('{"cpu_s": 1')  # killed while it wrote
    assert store.missing(TASKS) == TASKS[2:]
    assert [store.finish(task, player.play) for task in TASKS] == whole
    assert player.played == TASKS


def test_runs_of_other_code_are_not_used_but_tell_the_pace(tmp_path: Path) -> None:
    old, new = RunStore(tmp_path, "old"), RunStore(tmp_path, "new")
    assert estimate_s(TASKS, new.paces()) is None
    for task in TASKS[:2]:
        old.finish(task, Player().play)
    (tmp_path / "old" / "other-format.json").write_text('{"cpu_s": 1.0}')
    assert new.missing(TASKS) == TASKS
    assert new.paces() == {"rule": 0.05, "default": 0.1}
    assert estimate_s(TASKS, new.paces()) == 18.0
