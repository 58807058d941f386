"""`evaluate` and `export` on the service's own log: the same numbers from database, Parquet and dsjson."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from decision_service.__main__ import app
from decision_service.evaluation.in_sample import InSampleCheck
from decision_service.evaluation.log_decisions import EVALUATED, LogDecisions
from decision_service.evaluation.readers import DatabaseReader
from decision_service.evaluation.targets import Targets
from decision_service.learning.registry.base import Checkpoint
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.schemas.decision_answer import iso
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.tables.log import read_log
from offline_eval.sequential.evaluation import evaluate_sequential
from offline_eval.sequential.trajectories import Trajectories
from offline_eval.targets import PolicyTarget, ask_target
from policies.catalogue.document import Reward
from policies.models.learned import empty_snapshot
from policies.models.registry import POLICIES, find_learning
from policies.models.rule import rule_policy
from policies.records.rows import pack
from policies.records.shopper_numbers import ShopperNumbers
from tests.decision_service.evaluation.small_log import CHANCE, SmallLog
from tests.factories import NOW

pytestmark = pytest.mark.xdist_group("small log")  # the tests share what takes seconds to make

COUNT = 1_200


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLog]:
    log = SmallLog(tmp_path_factory.mktemp("log"))
    log.fill(COUNT)
    yield log
    log.log.close()


def run(*arguments: str | Path) -> tuple[int, str, str]:
    output = CliRunner().invoke(app, list(map(str, arguments)))
    return output.exit_code, output.stdout, output.stderr


def evaluate(source: str | Path, *options: str) -> dict[str, Any]:
    code, out, err = run("evaluate", source, *options, "--json")
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def results(document: dict[str, Any]) -> dict[str, float]:
    return {result["name"]: result["value"] for result in document["results"]}


def email_at_once(decision: LoggedDecision) -> np.ndarray:
    """A target in Python: e-mail wherever it is eligible."""
    wanted = np.array([getattr(action, "channel", "") == "email" for action in decision.actions], dtype=np.float64)
    return np.asarray(wanted / wanted.sum())


def test_the_logging_policy_earns_the_mean_reward(small: SmallLog) -> None:
    values = results(evaluate(small.directory, "--target", "logging"))
    for name in ("ipw", "snipw", "dr", "sndr"):
        if name in ("ipw", "snipw"):
            assert values[f"ope.{name}"] == pytest.approx(values["ope.mean_reward"])
    assert values["ope.effective_sample_size"] == pytest.approx(COUNT)


def test_database_and_export_give_the_same_numbers_for_every_target(small: SmallLog, tmp_path: Path) -> None:
    file = tmp_path / "log.parquet"
    code, out, err = run("export", small.directory, file)
    assert code == 0, err
    assert "1,200 decisions" in out
    target = f"call:{__name__}:email_at_once"
    for expected in ("rule@0.1", target):
        options = ("--target", expected, "--against", "logging", "--by", "channel,segment,day")
        ours, theirs = evaluate(small.directory, *options), evaluate(file, *options)
        assert results(ours) == results(theirs)
        assert ours["groups"] == theirs["groups"]


def test_an_export_holds_what_the_policy_saw_and_predicted(small: SmallLog, tmp_path: Path) -> None:
    file, options = tmp_path / "log.parquet", ("--target", "rule@0.1", "--estimators", "ipw")
    run("export", small.directory, file)
    in_file = [decision.policy_inputs for decision in read_log(file, EVALUATED)]
    in_database = [
        decision.policy_inputs
        for decision in DatabaseReader(f"sqlite:///{small.directory}/decisions.sqlite", EVALUATED)()
    ]
    for one, other in zip(in_file, in_database, strict=True):
        assert one is not None
        assert other is not None
        assert one.shopper_numbers == other.shopper_numbers == ShopperNumbers(load=(0.0, 0.0))
    about = pyarrow.parquet.read_metadata(file).metadata
    table = pyarrow.parquet.read_table(file).drop_columns(["numbers", "p_out", "p_click"])
    earlier = table.replace_schema_metadata(about)
    pyarrow.parquet.write_table(earlier, tmp_path / "earlier.parquet")
    assert results(evaluate(tmp_path / "earlier.parquet", *options)) == results(evaluate(file, *options))


def test_the_schema_of_an_export_is_as_documented(small: SmallLog, tmp_path: Path) -> None:
    from offline_eval.logs.tables import log

    run("export", small.directory, tmp_path / "log.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "log.parquet")
    documented = log.__doc__ or ""
    assert all(f" {name}" in documented or f"{name}," in documented for name in schema.names)
    table = pyarrow.parquet.read_table(tmp_path / "log.parquet").to_pylist()
    assert len(table) == COUNT
    assert all(abs(sum(record["probabilities"]) - 1) < 1e-9 for record in table)
    assert all(record["probabilities"][record["drawn"]] == record["propensity"] for record in table)


def test_a_target_is_estimated_near_its_truth(small: SmallLog) -> None:
    """Interval of 99.9 %: wrong once in 1,000 logs, and this log is fixed."""
    document = evaluate(small.directory, "--target", f"call:{__name__}:email_at_once", "--alpha", "0.001")
    truth = CHANCE["email"] * small.rulebook.catalogue.reward.click - 0.001
    for result in document["results"]:
        if result["name"] in ("ope.ipw", "ope.snipw", "ope.dr", "ope.sndr"):
            assert result["low"] < truth < result["high"]


def test_slots_are_weighed_by_their_marginals(small: SmallLog) -> None:
    target = f"call:{__name__}:email_at_once"
    joint = evaluate(small.directory, "--target", target, "--estimators", "ipw")
    marginal = evaluate(small.directory, "--target", target, "--estimators", "ipw", "--slots", "channel")
    size = "ope.effective_sample_size"
    assert results(marginal)[size] > 1.2 * results(joint)[size]
    low, high = (next(r for r in marginal["results"] if r["name"] == "ope.ipw")[end] for end in ("low", "high"))
    assert low < CHANCE["email"] * 0.1 < high


@pytest.mark.parametrize(
    "options",
    [
        ["--against", "logging", "--by", "channel,segment,trigger,policy,device,day"],
        ["--estimators", "ipw,snipw", "--slots", "channel"],
        ["--estimators", "ipw", "--sequential"],
    ],
)
def test_dsjson_comes_back(small: SmallLog, tmp_path: Path, options: list[str]) -> None:
    """The model's values too: what it reads are the context of the trigger, and HOLD's 0."""
    file = tmp_path / "log.dsjson"
    assert run("export", small.directory, file)[0] == 0
    event = json.loads(file.read_text().splitlines()[0])
    assert {"_label_cost", "_label_probability", "_label_Action", "a", "p", "c"} <= event.keys()
    ours, theirs = (evaluate(source, "--target", "uniform", *options) for source in (small.directory, file))
    for part in ("results", "groups", "verdict", "diagnostics"):
        assert ours[part] == theirs[part]


EVENT: dict[str, Any] = {
    "_label_cost": -1.0,
    "_label_probability": 0.5,
    "_label_Action": 1,
    "Timestamp": "2024-01-01T00:00:00.0000000Z",
    "EventId": "e",
    "a": [1, 2],
    "p": [0.5, 0.5],
    "c": {"s": {"f": 1}, "_multi": [{"a": {"x": 1}}, {"a": {"x": 2}}]},
}


def write_events(file: Path, *changes: dict[str, Any]) -> Path:
    events = [{**EVENT, "EventId": f"e-{number}", **change} for number, change in enumerate(changes)]
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return file


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"c": None}, "row 2, column c: is None, not an object"),
        ({"c": [1]}, "row 2, column c: is [1], not an object"),
        ({"a": ["x", 1]}, "row 2, column a: is not a list of the action ids 1 to K"),
        ({"a": [1, 1]}, "row 2, column a: is not a list of the action ids 1 to K"),
        ({"p": None}, "row 2, column p: is None for 2 actions"),
        ({"p": [0.5, "x"]}, "row 2, column p: is 'x', not a number"),
        ({"_label_Action": True}, "row 2, column _label_Action: the logged action is not among"),
        ({"Timestamp": 5}, "row 2, column Timestamp: is 5, not a time"),
        ({"pdrop": 0.9}, "row 2, column pdrop: is 0.9: decisions were dropped at random"),
        ({"labels": [1]}, "row 2, column labels: is [1], not an object"),
        (
            {"p": [0.99995, 0.00005], "_label_Action": 2, "_label_probability": 0.0001},
            "row 2, column _label_probability: is 0.0001, but the distribution says 5e-05",
        ),
    ],
)
def test_a_bad_line_of_dsjson_is_named_by_row_and_column(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    file = write_events(tmp_path / "a.dsjson", {}, change)
    code, out, err = run("evaluate", file, "--target", "uniform", "--estimators", "ipw")
    assert (code, out) == (1, "")
    assert complaint in err.replace("\n", " ")


def test_a_feature_that_some_rows_lack_has_an_empty_label(tmp_path: Path) -> None:
    file = write_events(tmp_path / "a.dsjson", {"c": {"s": {}}}, {"c": {"s": {"city": "Vigo"}}}, {"c": {"s": {}}})
    document = evaluate(file, "--target", "uniform", "--estimators", "ipw", "--by", "s.city")
    assert [(group["label"], group["rows"]) for group in document["groups"]["s.city"]] == [("", 2), ("Vigo", 1)]


def test_a_function_of_the_current_directory_is_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed command has no current directory on its path, other than ``python -m``."""
    (tmp_path / "policy_of_mine.py").write_text("def first(decision):\n    return [1.0, 0.0]\n")
    events = write_events(tmp_path / "a.dsjson", {}, {"_label_cost": 0, "_label_Action": 2})
    asked = ("--target", "call:policy_of_mine:first", "--estimators", "ipw")
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert "'policy_of_mine:first' cannot be imported" in run("evaluate", events, *asked)[2]
    monkeypatch.chdir(tmp_path)
    assert results(evaluate(events, *asked))["ope.ipw"] == 1.0


@pytest.mark.parametrize(("with_shopper", "clustered"), [(0, False), (2, True), (3, True)])
def test_events_that_name_no_shopper_are_said_not_to_be_clustered(
    tmp_path: Path, with_shopper: int, clustered: bool
) -> None:
    events = ({"shopper": "ann"} if number < with_shopper else {} for number in range(3))
    file = write_events(tmp_path / "a.dsjson", *events)
    document = evaluate(file, "--target", "uniform", "--estimators", "ipw")
    assert document["facts"]["clustered"] is clustered
    assert document["diagnostics"]["units"] == min(1, with_shopper) + 3 - with_shopper
    output = [reason["text"] for code, reason in findings(document).items() if code == "not_clustered"]
    apart = f"{3 - with_shopper} of 3 decisions name no shopper: they are taken as independent of all others"
    assert output == ([apart] if with_shopper < 3 else [])


def test_what_cannot_be_asked_of_dsjson_is_refused(tmp_path: Path) -> None:
    file = write_events(tmp_path / "a.json", {})
    assert "a log needs a policy to evaluate: give --target" in run("evaluate", file)[2]
    assert "leave out --critical" in run("evaluate", file, "--target", "uniform", "--critical")[2]


def test_a_dsjson_log_of_others_is_read_as_it_is_and_has_neither_slots_nor_history(tmp_path: Path) -> None:
    offset, dropped = {"Timestamp": "2024-01-01T02:00:00+02:00"}, {"pdrop": 0.0}
    file = write_events(tmp_path / "a.dsjson", {}, offset, dropped, {"_label_cost": 0, "c": {"s": {"f": 2}}})
    options = ("--target", "uniform", "--estimators", "ipw")
    document = evaluate(file, *options, "--by", "s.f,day")
    assert results(document)["ope.mean_reward"] == 0.75
    assert [(group["label"], group["rows"]) for group in document["groups"]["s.f"]] == [("1", 3), ("2", 1)]
    assert [group["label"] for group in document["groups"]["day"]] == ["2024-01-01"]
    assert (
        "slots are those of a catalogue's joint actions: 'a.x=1'"
        in run("evaluate", file, *options, "--slots", "channel")[2]
    )
    output = run("evaluate", file, *options, "--sequential")
    assert output[0] == 1
    assert "sequential estimators need recent_sends in the context" in output[2]


def test_a_vw_command_line_learns_along_the_log(small: SmallLog, tmp_path: Path) -> None:
    options = ("--target", "vw:--cb_explore_adf --epsilon 0.1 -q sa", "--estimators", "ipw,snipw")
    ours = evaluate(small.directory, *options)
    assert results(ours)["ope.snipw"] > results(ours)["ope.mean_reward"]
    run("export", small.directory, tmp_path / "log.dsjson")
    theirs = evaluate(tmp_path / "log.dsjson", *options)
    assert results(theirs)["ope.snipw"] > results(theirs)["ope.mean_reward"]


def test_a_model_version_of_the_registry_is_evaluated(small: SmallLog) -> None:
    registry = SqlRegistry.open(f"sqlite:///{small.directory / 'models.sqlite'}")
    payload = empty_snapshot(Reward()).to_bytes()
    registry.save(None, Checkpoint(1, b""), model=payload, metadata={"at": 0.0})
    registry.close()
    document = evaluate(small.directory, "--target", "version:1", "--against", "rule", "--estimators", "snipw")
    assert "ope.snipw.difference" in results(document)
    floored = results(evaluate(small.directory, "--target", "version:1@0.5", "--estimators", "snipw"))
    assert floored["ope.snipw"] != results(document)["ope.snipw"]
    for target, complaint in (
        ("version:7", "no model version 7"),
        ("version:x", "a number, not 'x'"),
        ("version:1@2", "epsilon must lie between 0 and 1"),
        ("version:1@0", "epsilon must be at least 0.01 for a policy that learns"),
    ):
        assert complaint in run("evaluate", small.directory, "--target", target)[2]


@pytest.mark.parametrize("policy", [name for name, factory in POLICIES.items() if factory.learns])
def test_a_model_version_is_evaluated_as_the_policy_that_it_was_made_for(tmp_path: Path, policy: str) -> None:
    small = SmallLog(tmp_path)
    small.fill(40)
    registry = SqlRegistry.open(f"sqlite:///{tmp_path / 'models.sqlite'}")
    payload = find_learning(policy).make_learner(None).publish(Reward())
    for number, name in enumerate((policy, "lost"), 1):
        metadata = {"at": 0.0, "policy": name}
        registry.save(number - 1 or None, Checkpoint(number, b""), model=payload, metadata=metadata)
    registry.close()
    by_number = results(evaluate(tmp_path, "--target", "version:1", "--estimators", "snipw"))
    target = PolicyTarget(lambda decision: POLICIES[policy].make(small.rulebook))
    rows = [entry.decision for entry in LogDecisions(small.log) if entry.decision is not None]
    weights = [ask_target(target, row, 0)[row.drawn] / row.propensity for row in rows]
    rewards = [row.reward for row in rows]
    assert by_number["ope.snipw"] == pytest.approx(np.dot(weights, rewards) / sum(weights))
    complaint = "model version 2 is of the policy 'lost', which is not known here"
    assert complaint in run("evaluate", tmp_path, "--target", "version:2")[2]


def findings(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {reason["code"]: reason for reason in document["verdict"]["reasons"]}


def rows_of(document: dict[str, Any]) -> int:
    return int(document["facts"]["rows"])


def test_a_version_learned_from_the_log_on_which_it_is_evaluated_is_reported(small: SmallLog, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'models.sqlite'}"
    registry, payload = SqlRegistry.open(url), empty_snapshot(Reward()).to_bytes()
    for number in (1, 2):
        metadata = {"at": NOW + number * 400 - 0.5}
        registry.save(number - 1 or None, Checkpoint(number, b""), model=payload, metadata=metadata)
    registry.close()
    asked = ("--against", "version:2@0.5", "--estimators", "snipw", "--registry", url)
    values = findings(evaluate(small.directory, "--target", "version:1", *asked))
    for code, name, count in (("in_sample", "version:1", "400"), ("against.in_sample", "version:2@0.5", "800")):
        assert values[code]["level"] == "caution"
        assert f"{count} of 1,200 decisions were made before {name} was learned" in values[code]["text"]
    after = values["in_sample"]["text"].split("--from ")[1].rstrip(")")
    later = evaluate(small.directory, "--target", "version:1", *asked, "--from", after)
    assert rows_of(later) == COUNT - 400
    assert "in_sample" not in findings(later)
    assert "400 of 800 decisions" in findings(later)["against.in_sample"]["text"]
    for other in ("rule", "uniform", "logging"):
        assert "in_sample" not in findings(evaluate(small.directory, "--target", other, "--estimators", "snipw"))


@given(st.lists(st.floats(0, 2e9), max_size=6), st.floats(0, 2e9))
def test_no_version_was_learned_from_decisions_after_the_reported_time(times: list[float], at: float) -> None:
    watch = InSampleCheck("version:1", at)
    decisions = [LoggedDecision("e", "s", time, {}, (), np.zeros(0), 0, 0.0) for time in times]
    assert list(watch.watch(decisions)) == decisions
    assert bool(watch.findings()) == any(time <= at for time in times)
    for finding in watch.findings():
        after = datetime.fromisoformat(finding.text.split("--from ")[1].rstrip(")")).timestamp()
        assert at < after <= at + 1


@pytest.mark.parametrize("options", [("--estimators", "dr"), ("--estimators", "snipw", "--sequential")])
def test_a_span_of_time_is_all_that_is_read(small: SmallLog, tmp_path: Path, options: tuple[str, ...]) -> None:
    """The reward model, and the trajectories, too: the same numbers as from a file that holds nothing else."""
    file = tmp_path / "log.parquet"
    run("export", small.directory, file)
    table = pyarrow.parquet.read_table(file)
    begin, end = NOW + 200.0, NOW + 900.0
    expected = table.filter(pyarrow.array([begin <= at < end for at in table.column("at").to_pylist()]))
    about = pyarrow.parquet.read_metadata(file).metadata
    pyarrow.parquet.write_table(expected.replace_schema_metadata(about), file)
    span, asked = ("--from", iso(begin), "--to", iso(end)), ("--target", "uniform", *options)
    ours, theirs = evaluate(small.directory, *asked, *span), evaluate(file, *asked)
    assert rows_of(ours) == 700
    assert results(ours) == results(theirs)
    assert (ours["facts"]["from"], ours["facts"]["to"]) == (span[1], span[3])


def test_a_table_of_probabilities_is_a_target(small: SmallLog, tmp_path: Path) -> None:
    lines = ["event_id,action,probability"]
    lines += [f"e-{number},reminder/push/0,0.75\ne-{number},HOLD,0.25" for number in range(COUNT)]
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    document = evaluate(small.directory, "--target", f"table:{tmp_path / 'p.csv'}", "--estimators", "ipw,snipw")
    assert 0.75 * 0.05 * 0.6 < results(document)["ope.snipw"] < 0.75 * 0.05 * 1.4
    lines[1] = "e-0,reminder/push/0,0.5\ne-0,HOLD,0.25"
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    output = run("evaluate", small.directory, "--target", f"table:{tmp_path / 'p.csv'}")
    assert "row 1, event 'e-0', column target distribution: sums to 0.75" in output[2]
    lines[1] = "e-0,reminder/fax/0,1.0"
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    assert "was not eligible" in run("evaluate", small.directory, "--target", f"table:{tmp_path / 'p.csv'}")[2]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "a log needs a policy to evaluate: give --target"),
        (["--target", "best"], "there is no target 'best'"),
        (["--target", "call:nowhere:f"], "cannot be imported"),
        (["--target", "vw:--cb_explore_adf --nonsense"], "Vowpal Wabbit refuses"),
        (["--target", "vw:--cb_adf"], "gives no probabilities"),
        (["--target", "uniform", "--slots", "colour"], "there is no slot 'colour'"),
        (["--target", "uniform", "--model", "none"], "need a reward model"),
        (
            ["--target", "uniform", "--interval", "sequence", "--estimators", "ipw,dr", "--max-weight", "99"],
            "needs a model that has seen no later row",
        ),
        (["--target", "uniform", "--model", "deep"], "there is no reward model 'deep'"),
        (["--target", "uniform", "--by", "colour"], "no label 'colour'"),
        (["--target", "uniform", "--columns", "reward=clicked"], "leave out --columns"),
        (["--target", "uniform@0.5"], "uniform takes no floor"),
        (["--target", "logging@0.5"], "logging takes no floor"),
        (["--target", "rule@2"], "epsilon must lie between 0 and 1, not 2.0"),
        (["--target", "rule@x"], "a floor is a number, not 'x'"),
        (["--target", "rule:1"], "there is no target 'rule:1'"),
        (["--target", "uniform", "--from", "2001-01-01", "--to", "2001-01-02"], "no decision between --from and --to"),
        (["--target", "uniform", "--from", "soon"], "--from is an ISO 8601 time, such as 2026-11-21T17:00:00Z, not"),
        (["--target", "uniform", "--critical"], "holds no decision to evaluate with the role critical"),
    ],
)
def test_what_cannot_be_asked_of_a_log_is_refused(small: SmallLog, options: list[str], complaint: str) -> None:
    code, _, err = run("evaluate", small.directory, *options)
    assert code == 1
    assert complaint in err.replace("\n", " ")


def test_a_confidence_sequence_without_a_model_can_be_asked_of_a_log(small: SmallLog) -> None:
    asked = ("--target", "uniform", "--interval", "sequence", "--estimators", "ipw", "--reward-range=-1,1")
    document = evaluate(small.directory, *asked)
    values = document["results"][0]
    assert values["low"] < values["value"] < values["high"]


def test_sequential_estimators_can_be_asked_for(small: SmallLog) -> None:
    document = evaluate(small.directory, "--target", "logging", "--estimators", "ipw", "--sequential")
    values = results(document)
    for name in ("pdis", "sn-pdis", "state-marginal"):
        assert values[f"ope.{name}"] == pytest.approx(values["ope.mean_reward"])
    assert values["ope.fqe"] == pytest.approx(values["ope.mean_reward"], rel=0.1)


def test_draws_and_seed_are_those_of_sequential_estimators_too(small: SmallLog) -> None:
    asked = ("--target", "uniform", "--estimators", "ipw", "--sequential", "--seed", "1", "--draws")
    document = evaluate(small.directory, *asked, "5")
    values = {item["name"]: item for item in document["results"]}
    target = Targets(None).make("uniform")
    log = Trajectories.of_decisions(
        DatabaseReader(f"sqlite:///{small.directory}/decisions.sqlite", EVALUATED)(), target
    )
    for item in evaluate_sequential(log, draws=5, seed=1).estimates:
        assert (values[f"ope.{item.name}"]["low"], values[f"ope.{item.name}"]["high"]) == (item.low, item.high)
    assert {"seed": 1, "draws": 5, "sequential_draws": 5}.items() <= document["facts"].items()
    assert "a bootstrap needs at least 2 draws, not 1" in run("evaluate", small.directory, *asked, "1")[2]


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, _, err = run("evaluate", f"sqlite:///{tmp_path / 'none.sqlite'}", "--target", "uniform")
    assert code == 1
    assert "there is no log at" in err
    assert not (tmp_path / "none.sqlite").exists()
    assert run("export", tmp_path, tmp_path / "x.parquet")[0] == 1


def test_a_bad_log_is_named_by_row_and_column(small: SmallLog, tmp_path: Path) -> None:
    file = tmp_path / "log.parquet"
    run("export", small.directory, file)
    table = pyarrow.parquet.read_table(file)
    about = pyarrow.parquet.read_metadata(file).metadata
    for column, change, complaint in (
        ("propensity", 0.0, "row 3, column propensity: is 0, but the distribution says"),
        ("propensity", np.nan, "row 3, column propensity: is nan, but the distribution says"),
        ("propensity", 0.999, "row 3, column propensity: is 0.999, but the distribution says"),
        ("probabilities", None, "row 3, column probabilities: is empty"),
        ("shopper_id", None, "row 3, column shopper_id: is empty"),
        ("role", None, "row 3, column role: is empty"),
        ("at", 1.7e12, "row 3, column at: is 1.7e+12, must be seconds since 1970"),
        ("trigger_of", [0], "row 3, column trigger_of: has 1 values for 9"),
        ("trigger_of", [5] * 8 + [-1], "row 3, column trigger_of: names none of the 1 triggers"),
        ("trigger_of", [None] * 9, "row 3, column trigger_of: holds an empty value"),
        ("triggers", "[", "row 3, column triggers: cannot be read"),
        ("triggers", "[]", "row 3, column triggers: is empty"),
        ("context", "{", "row 3, column context: cannot be read"),
        ("eligible", [0] * 9, "row 3, column eligible: must rise"),
        ("probabilities", [0.5] * 9, "row 3, column probabilities: sums to 4.5"),
        ("drawn", 99, "row 3, column drawn: the logged joint action is not among the eligible"),
        ("eligible", [0] * 8 + [77], "row 3, column eligible: holds a number that the catalogue does not have"),
        ("catalogue_version", 9, "row 3, column catalogue_version: is 9"),
        ("reward", None, "row 3, column reward: is empty"),
    ):
        records = table.to_pylist()
        records[2][column] = change
        bad = pyarrow.Table.from_pylist(records, schema=table.schema).replace_schema_metadata(about)
        pyarrow.parquet.write_table(bad, tmp_path / "bad.parquet")
        code, out, err = run("evaluate", tmp_path / "bad.parquet", "--target", "uniform", "--estimators", "ipw")
        assert (code, out) == (1, "")
        assert complaint in err.replace("\n", " ")


def test_an_export_of_another_schema_is_refused_and_wider_types_will_do(small: SmallLog, tmp_path: Path) -> None:
    file, options = tmp_path / "log.parquet", ("--target", "uniform", "--estimators", "ipw")
    run("export", small.directory, file)
    table = pyarrow.parquet.read_table(file)
    about = pyarrow.parquet.read_metadata(file).metadata

    def rewritten(changed: pyarrow.Table) -> Path:
        pyarrow.parquet.write_table(changed.replace_schema_metadata(about), tmp_path / "other.parquet")
        return tmp_path / "other.parquet"

    for column in ("shopper_id", "reward", "probabilities", "role"):
        output = run("evaluate", rewritten(table.drop_columns([column])), *options)
        assert f"column {column}: is missing; the table has event_id" in output[2]
    place = table.schema.get_field_index("reward")
    words = table.set_column(place, "reward", table.column("reward").cast(pyarrow.string()))
    assert "column reward: holds string, must hold double" in run("evaluate", rewritten(words), *options)[2]
    place = table.schema.get_field_index("drawn")
    wide = table.set_column(place, "drawn", table.column("drawn").cast(pyarrow.int64()))
    assert results(evaluate(rewritten(wide), *options)) == results(evaluate(file, *options))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"drawn": 77}, "event 'e-5', column drawn: is 77, a number that the catalogue does not have"),
        ({"drawn": 3}, "event 'e-5', column drawn: is 3, which is not the joint action that was delivered"),
        ({"drawn_trigger": 4}, "event 'e-5', column drawn_trigger: is 4 of 1 triggers"),
        ({"catalogue_version": 9}, "event 'e-5', column catalogue_version: is 9, a catalogue that the log"),
        ({"propensity": 0.0}, "event 'e-5', column propensity: is 0, but the distribution says"),
        ({"probabilities": "!"}, "event 'e-5', column probabilities: cannot be read"),
        ({"probabilities": pack(np.full(9, 0.1))}, "event 'e-5', column probabilities: sums to 0.9"),
        ({"verdicts": pack(np.zeros(3, dtype=np.uint8))}, "event 'e-5', column verdicts: has 3 values"),
    ],
)
def test_a_bad_row_of_the_database_is_named_by_its_event(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    log = SmallLog(tmp_path)
    for number in range(5):
        log.decide(number)
    log.decide(5, rule_policy(epsilon=0.0), **changes)
    log.clock()
    log.log.close()
    code, out, err = run("evaluate", tmp_path, "--target", "uniform", "--estimators", "ipw")
    assert (code, out) == (1, "")
    assert complaint in err.replace("\n", " ")


def test_a_row_of_the_database_that_cannot_be_read_is_named_by_its_position(tmp_path: Path) -> None:
    log = SmallLog(tmp_path)
    log.decide(0)
    log.flush()
    log.log.close()
    with sqlite3.connect(tmp_path / "decisions.sqlite") as connection:
        connection.execute("UPDATE log SET body = ? WHERE position = 2", (b'{"row":"decision"}',))
    assert "log position 2, column body: is no row" in run("evaluate", tmp_path, "--target", "uniform")[2]


def test_fatigue_in_the_log_is_reported(tmp_path: Path) -> None:
    log = SmallLog(tmp_path)
    random = np.random.default_rng(3)
    for number in range(1_500):
        row = log.decide(number)
        if row.is_delivered and random.random() < 0.8 - 0.18 * (number % 5):
            log.outcome(row)
    log.clock()
    log.log.close()
    assert "history" in findings(evaluate(tmp_path, "--target", "rule", "--estimators", "ipw"))
