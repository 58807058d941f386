"""Vowpal Wabbit as a target: on logs of its own shape the values are those that its own predictions give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vowpal_wabbit_next as vw

from offline_eval import BadData, NotAvailable, estimate_values, make_estimators
from offline_eval.logs.dsjson.reading import read_dsjson
from offline_eval.vw_target import VwTarget
from offline_eval.weighing import Weighing

TOPICS = ("SkiConditions-VT", "HerbGarden", "BeyBlades", "NYCLiving", "MachineLearning")


def write_personalizer_log(path: Path, count: int) -> Path:
    """Write a log in the shape of Personalizer: shared namespaces in lists, some topics in any order, float32."""
    random = np.random.default_rng(7)
    lines = []
    for number in range(count):
        topics = random.permutation(TOPICS)[: int(random.integers(2, 6))].tolist()
        chosen = int(random.integers(len(topics)))
        probabilities = np.full(len(topics), 0.2 / len(topics))
        probabilities[chosen] += 0.8
        drawn = int(random.choice(len(topics), p=probabilities))
        ranked = [drawn, *(place for place in range(len(topics)) if place != drawn)]
        device = ("Mobile", "PC")[number % 2]
        reward = float(random.random() < (0.6 if (topics[drawn], device) == ("HerbGarden", "PC") else 0.1))
        event: dict[str, Any] = {
            "_label_cost": -reward,
            "_label_probability": float(np.float32(probabilities[drawn])),
            "_label_Action": drawn + 1,
            "_labelIndex": drawn,
            "o": [{"EventId": f"e{number}", "v": reward}],
            "Timestamp": f"2021-02-04T16:{number // 60:02}:{number % 60:02}.0000000Z",
            "Version": "1",
            "EventId": f"e{number}",
            "a": [place + 1 for place in ranked],
            "c": {
                "FromUrl": [{"timeofday": "Morning", "weather": "Sunny"}],
                "Session": [{"DeviceBrand": device}, {"visits": number % 7}],
                "_multi": [{"_tag": topic, "i": {"constant": 1, "id": topic}, "j": [{"t": topic}]} for topic in topics],
            },
            "p": [float(np.float32(probabilities[place])) for place in ranked],
            "VWState": {"m": "a/b"},
            "_original_label_cost": -reward,
        }
        lines.append(json.dumps(event))
    path.write_text("[checkpoint]\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("learns", [True, False])
def test_values_are_those_of_vowpal_wabbit_itself(tmp_path: Path, learns: bool) -> None:
    file = write_personalizer_log(tmp_path / "log.dsjson", 300)
    options = ["--cb_explore_adf", "--epsilon", "0.2", "-q", "Fj"]
    workspace: Any = vw.Workspace(["--quiet", *options])
    parser: Any = vw.DSJsonFormatParser(workspace)
    weights, rewards = [], []
    for line in file.read_text().splitlines()[1:]:
        event = json.loads(line)
        predicted = dict(workspace.predict_one(parser.parse_json(line)))
        chosen = predicted[event["_label_Action"] - 1] / sum(predicted.values())
        weights.append(chosen / event["_label_probability"])
        rewards.append(-event["_label_cost"])
        if learns:
            workspace.learn_one(parser.parse_json(line))
    weight, reward = np.array(weights), np.array(rewards)
    (tmp_path / "fixed.vw").write_bytes(vw.Workspace(["--quiet", *options]).serialize())
    model = "" if learns else f" -i {tmp_path / 'fixed.vw'}"
    batches = Weighing(VwTarget(" ".join(options) + model)).batches(read_dsjson(file))
    values = estimate_values(make_estimators(["ipw", "snipw"]), batches)
    assert values["ipw"] == pytest.approx((weight * reward).mean(), rel=1e-6)
    assert values["snipw"] == pytest.approx((weight * reward).sum() / weight.sum(), rel=1e-6)


@pytest.mark.parametrize("command", ["--cb_explore 2", "--cb_explore 2 --first 3"])
def test_a_command_for_a_fixed_number_of_actions_is_refused(command: str) -> None:
    with pytest.raises(
        NotAvailable, match=f"'{command}' chooses among a fixed number of actions: use --cb_explore_adf"
    ):
        VwTarget(command)


def test_a_failure_of_vowpal_wabbit_is_named_by_event(tmp_path: Path) -> None:
    file = write_personalizer_log(tmp_path / "log.dsjson", 1)
    (decision,) = read_dsjson(file)
    object.__setattr__(decision, "raw", "no JSON")
    with pytest.raises(BadData, match="event 'e0', column target distribution"):
        VwTarget("--cb_explore_adf").distribution(decision)
