"""Compare with other libraries on random data: whether the numbers are equal, and how long both sides take.

Runs in the environment that `make parity` makes, in one process with one thread. Both sides run in turns, and the
time is CPU time, so that other load of the machine affects both sides alike.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.page import markdown
from decision_service.cli.measurements import Measured, facts, write
from offline_eval import Limits, LoggedBatch, Totals, cut_blocks, dense_blocks, estimate_values, make_estimators
from offline_eval.intervals import Bounds, Interval, Normal, ObpBootstrap
from offline_eval.intervals.sequence import ConfidenceSequence

_TOLERANCE = 1e-9
_ACTIONS = 10

PEERS = ("ipw", "snipw", "dm", "dr", "sndr", "switch-dr", "dr-os")
"""The estimators that the Open Bandit Pipeline has too, in its order."""


class ParityBroken(AssertionError):
    """Two libraries compute different numbers from the same data."""


@dataclass(frozen=True)
class Data:
    """A log in the form of both libraries; ``feedback`` is the form of the Open Bandit Pipeline."""

    feedback: dict[str, Any]
    target: np.ndarray
    q_hat: np.ndarray

    def blocks(self) -> Any:
        """Return the log in the form of `offline_eval`."""
        feedback = self.feedback
        return dense_blocks(feedback["reward"], feedback["action"], feedback["pscore"], self.target, self.q_hat)


def load_obp() -> ModuleType:
    """Import the Open Bandit Pipeline with an empty module in place of torch.

    The pipeline imports torch (gigabytes) for learning policies, which are not compared here.
    """

    class Anything(type):
        def __getattr__(cls, name: str) -> object:
            if name.startswith("__"):
                raise AttributeError(name)
            return cls

    class Nothing(metaclass=Anything):
        pass

    class Empty(ModuleType):
        def __getattr__(self, name: str) -> object:
            return Nothing

    for name in ("torch", "torch.nn", "torch.nn.functional", "torch.optim"):
        module = Empty(name)
        module.__path__ = []
        sys.modules[name] = module
    import obp

    return obp  # type: ignore[no-any-return]


def make_data(obp: Any, count: int, seed: int) -> Data:
    """Draw a log from the pipeline's synthetic world; the reward model is wrong on purpose."""
    dataset = obp.dataset.SyntheticBanditDataset(
        n_actions=_ACTIONS,
        dim_context=5,
        reward_function=obp.dataset.logistic_reward_function,
        beta=-3,
        random_state=seed,
    )
    feedback = dataset.obtain_batch_bandit_feedback(n_rounds=count)
    expected = feedback["expected_reward"]
    scores = np.exp(5 * expected)
    target = 0.9 * scores / scores.sum(axis=1, keepdims=True) + 0.1 / _ACTIONS
    noise = np.random.default_rng(seed).normal(0, 0.05, expected.shape)
    return Data(feedback, target, np.clip(0.6 * expected + 0.2 + noise, 0, 1))


def obp_evaluation(obp: Any, data: Data) -> Any:
    """Return the pipeline's evaluation with the seven estimators."""
    ope = obp.ope
    estimators = [
        ope.InverseProbabilityWeighting(),
        ope.SelfNormalizedInverseProbabilityWeighting(),
        ope.DirectMethod(),
        ope.DoublyRobust(),
        ope.SelfNormalizedDoublyRobust(),
        ope.SwitchDoublyRobust(lambda_=5.0),
        ope.DoublyRobustWithShrinkage(lambda_=5.0),
    ]
    return ope.OffPolicyEvaluation(bandit_feedback=data.feedback, ope_estimators=estimators)


def time_call(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a call in this process, and its result."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def run_interleaved(theirs: Callable[[], Any], ours: Callable[[], Any], rounds: int) -> tuple[float, float, Any, Any]:
    """Run both in turns; return the medians of their CPU seconds, and their last results."""
    times: list[tuple[float, float]] = []
    results: tuple[Any, Any] = (None, None)
    for _ in range(rounds):
        (their_time, their_result), (our_time, our_result) = time_call(theirs), time_call(ours)
        times.append((their_time, our_time))
        results = (their_result, our_result)
    medians = np.median(np.array(times), axis=0)
    return float(medians[0]), float(medians[1]), *results


def compute_intervals(data: Data, interval: Interval) -> list[Bounds]:
    """Return the seven intervals of `offline_eval`."""
    estimators = make_estimators(PEERS)
    totals = Totals(estimators, interval.keep(clustered=False))
    for block in cut_blocks(data.blocks()):
        totals.add(block)
    return interval.bounds(estimators, totals.sample(), 0.05)


def compare_values(obp: Any, data: Data, rounds: int) -> list[Measured]:
    """Compare the seven values and their computing time."""
    evaluation, shaped = obp_evaluation(obp, data), data.target[:, :, None]
    rewards = data.q_hat[:, :, None]
    their_time, our_time, theirs, ours = run_interleaved(
        lambda: evaluation.estimate_policy_values(action_dist=shaped, estimated_rewards_by_reg_model=rewards),
        lambda: estimate_values(make_estimators(PEERS), data.blocks()),
        rounds,
    )
    apart = max(abs(a - b) for a, b in zip(theirs.values(), ours.values(), strict=True))
    _require_close("seven values", apart)
    return [
        Measured("ope.values_1m.ratio_to_obp", their_time / our_time, unit="ratio of CPU time"),
        Measured("ope.values_1m.obp_s", their_time, unit="CPU s"),
        Measured("ope.values_1m.ours_s", our_time, unit="CPU s"),
        Measured("ope.values_1m.largest_difference", apart, unit="reward"),
    ]


def compare_bootstrap(obp: Any, data: Data, draws: int, rounds: int) -> list[Measured]:
    """Compare the seven bootstrap intervals and their computing time, also with closed-form intervals."""
    evaluation, shaped = obp_evaluation(obp, data), data.target[:, :, None]
    rewards = data.q_hat[:, :, None]
    their_time, our_time, theirs, ours = run_interleaved(
        lambda: evaluation.estimate_intervals(
            action_dist=shaped,
            estimated_rewards_by_reg_model=rewards,
            alpha=0.05,
            n_bootstrap_samples=draws,
            random_state=12345,
        ),
        lambda: compute_intervals(data, ObpBootstrap(draws, 12345)),
        rounds,
    )
    bounds = [(interval["95.0% CI (lower)"], interval["95.0% CI (upper)"]) for interval in theirs.values()]
    apart = float(np.abs(np.array(bounds) - np.array(ours)).max())
    _require_close("seven bootstrap intervals", apart)
    closed = float(np.median([time_call(lambda: compute_intervals(data, Normal()))[0] for _ in range(max(3, rounds))]))
    return [
        Measured("ope.bootstrap_1m.ratio_to_obp", their_time / our_time, unit="ratio of CPU time"),
        Measured("ope.bootstrap_1m.obp_s", their_time, unit=f"CPU s, {draws} draws"),
        Measured("ope.bootstrap_1m.ours_s", our_time, unit=f"CPU s, {draws} draws"),
        Measured("ope.bootstrap_1m.largest_difference", apart, unit="reward"),
        Measured("ope.closed_form_1m.ours_s", closed, unit="CPU s, values and intervals"),
        Measured(
            "ope.closed_form_1m.ratio_to_obp_bootstrap",
            their_time * 1_000 / draws / closed,
            unit="ratio of CPU time, to 1,000 draws",
        ),
    ]


def compare_streaming(data: Data, count: int) -> list[Measured]:
    """Compare values and the confidence sequence (ρ = 1, IPS) with vw-estimators, row by row."""
    from estimators.bandits import cs, ips, snips

    rows = LoggedBatch.of(**{name: getattr(block, name) for block in [next(iter(data.blocks()))] for name in _SCALARS})
    rows = rows.slice(0, min(count, len(rows)))
    peers = (ips.Estimator(), snips.Estimator(), cs.Interval())
    for row in zip(rows.propensity.tolist(), rows.reward.tolist(), rows.target_propensity.tolist(), strict=True):
        for peer in peers:
            peer.add_example(*row)
    ours = estimate_values(make_estimators(["ipw", "snipw"]), rows)
    apart = max(abs(ours["ipw"] - peers[0].get()), abs(ours["snipw"] - peers[1].get()))
    _require_close("ips and snips of vw-estimators", apart)
    sequence = ConfidenceSequence(Limits(0.0, 1.0), rho=1.0)
    sequence.update(rows)
    widths = [high - low for low, high in (peers[2].get(alpha=0.05), sequence.bounds(0.05))]
    return [
        Measured("ope.vw_estimators.largest_difference", apart, unit="reward"),
        Measured("ope.vw_estimators.sequence_width_ratio", widths[1] / widths[0], unit="ours ÷ theirs"),
    ]


_SCALARS = ("reward", "propensity", "target_propensity", "q_chosen", "v_target")


def _require_close(what: str, apart: float) -> None:
    if not apart <= _TOLERANCE:
        raise ParityBroken(f"{what} differ by {apart:.3g}, allowed is {_TOLERANCE}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares with pinned peers on fresh random data.")
    parser.add_argument("--rounds", type=int, default=1_000_000, help="rounds of the log")
    parser.add_argument("--draws", type=int, default=100, help="bootstrap draws; both sides' times go with them")
    parser.add_argument("--repeat", type=int, default=5, help="times that each side runs")
    parser.add_argument("--seed", type=int, default=None, help="of the data; default: fresh")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time()) % 100_000
    obp = load_obp()
    data = make_data(obp, options.rounds, seed)
    results = [
        *compare_values(obp, data, options.repeat),
        *compare_bootstrap(obp, data, options.draws, max(1, options.repeat // 2)),
        *compare_streaming(data, 10_000),
    ]
    about = facts(seed=seed, rounds=options.rounds, draws=options.draws, estimators=", ".join(PEERS))
    about["versions"] = {"obp": obp.__version__, "numpy": np.__version__, "vw-estimators": "0.2.2"}
    page = markdown("Beside the Open Bandit Pipeline", f"make parity, seed {seed}", results, about)
    sys.stdout.write(page)
    if options.json is not None:
        write(options.json, results, about)
    if options.markdown is not None:
        options.markdown.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
