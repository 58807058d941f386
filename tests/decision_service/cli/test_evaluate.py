"""`decision-service evaluate` on files, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from decision_service.__main__ import app
from offline_eval import LoggedBatch, estimate_values, make_estimators
from tests.reference.worlds import RewardWorld

GUIDE = ("ipw", "snipw", "dm", "dr", "sndr", "switch-dr", "dr-os")
"""The estimators of the command in the guide."""
COLUMNS = ("reward", "propensity", "target_propensity", "q_chosen", "v_target")


@pytest.fixture(scope="module")
def rows() -> LoggedBatch:
    return RewardWorld.of(1).log(6_000, np.random.default_rng(1), shoppers=np.repeat(np.arange(2_000), 3))


def columns(rows: LoggedBatch) -> dict[str, list[Any]]:
    assert rows.shoppers is not None
    by_name: dict[str, list[Any]] = {name: getattr(rows, name).tolist() for name in COLUMNS}
    return {**by_name, "shopper": [f"s-{shopper}" for shopper in rows.shoppers.tolist()]}


def write_csv(path: Path, table: dict[str, list[Any]]) -> Path:
    lines = [",".join(table), *(",".join(map(str, cells)) for cells in zip(*table.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_parquet(path: Path, table: dict[str, list[Any]]) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    return path


def evaluate(*arguments: str | Path, stdin: bytes | None = None) -> tuple[int, str, str]:
    output = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], input=stdin)
    return output.exit_code, output.stdout, output.stderr


def evaluate_json(*arguments: str | Path, stdin: bytes | None = None) -> dict[str, Any]:
    code, output, errors = evaluate(*arguments, "--json", stdin=stdin)
    assert code == 0, errors
    document: dict[str, Any] = json.loads(output)
    return document


def test_the_command_of_the_guide_writes_named_results(tmp_path: Path, rows: LoggedBatch) -> None:
    file, out = write_csv(tmp_path / "rows.csv", columns(rows)), tmp_path / "out.json"
    code, output, _ = evaluate(
        *(file, "--estimators", "ipw,snipw,dm,dr,sndr,switch-dr,dr-os", "--tau", "5", "--lambda", "5"),
        *("--interval", "normal", "--json", out),
    )
    assert code == 0
    assert "verdict" in output
    document = json.loads(out.read_text())
    by_name = {result["name"]: result for result in document["results"]}
    for name, value in estimate_values(make_estimators(GUIDE), rows).items():
        assert by_name[f"ope.{name}"]["value"] == pytest.approx(value, abs=1e-12)
        assert by_name[f"ope.{name}"]["low"] < value < by_name[f"ope.{name}"]["high"]
    assert {"python", "cpu", "cores", "versions", "commit", "seed"} <= document["facts"].keys()
    assert document["verdict"]["level"] in {"trust", "caution", "do not use"}
    assert document["diagnostics"]["units"] == 2_000


def test_what_has_no_value_is_null(tmp_path: Path, rows: LoggedBatch) -> None:
    table = columns(rows) | {"target_propensity": [0.0] * len(rows)}
    code, output, _ = evaluate(write_csv(tmp_path / "rows.csv", table), "--json", tmp_path / "out.json")
    assert code == 0
    assert "do not use: no value came out for snipw, sndr" in output
    by_name = {item["name"]: item for item in json.loads((tmp_path / "out.json").read_text())["results"]}
    assert (by_name["ope.snipw"]["value"], by_name["ope.snipw"]["low"]) == (None, None)
    assert by_name["ope.ipw"]["value"] == 0.0


def test_parquet_and_csv_give_the_same_numbers(tmp_path: Path, rows: LoggedBatch) -> None:
    results = []
    for file in (write_csv(tmp_path / "a.csv", columns(rows)), write_parquet(tmp_path / "a.parquet", columns(rows))):
        assert evaluate(file, "--json", tmp_path / "out.json")[0] == 0
        results.append(json.loads((tmp_path / "out.json").read_text())["results"])
    assert results[0] == results[1]


def test_json_alone_goes_to_standard_output_and_a_page_is_written(tmp_path: Path, rows: LoggedBatch) -> None:
    table = {**columns(rows), "channel": ["push", "<email>"] * 3_000}
    file = write_parquet(tmp_path / "rows.parquet", table)
    code, out, _ = evaluate(file, "--by", "channel", "--against", "logging", "--json", "--report", tmp_path / "r.html")
    assert code == 0
    document = json.loads(out)
    assert {group["label"] for group in document["groups"]["channel"]} == {"push", "<email>"}
    assert "ope.ipw.difference" in {result["name"] for result in document["results"]}
    text = (tmp_path / "r.html").read_text()
    assert "Importance weights" in text
    assert "&lt;email&gt;" in text
    assert "<email>" not in text


def test_strict_exits_with_3_where_the_verdict_says_do_not_use(tmp_path: Path, rows: LoggedBatch) -> None:
    few = {name: cells[:30] for name, cells in columns(rows).items()}
    file, out = write_csv(tmp_path / "few.csv", few), tmp_path / "out.json"
    assert evaluate(file)[0] == 0
    assert evaluate(file, "--strict", "--json", out)[0] == 3
    document = json.loads(out.read_text())
    assert document["verdict"]["level"] == "do not use"
    assert document["verdict"]["reasons"]
    assert document["results"][0]["value"] is not None


def test_columns_of_other_names_are_mapped(tmp_path: Path, rows: LoggedBatch) -> None:
    table = columns(rows)
    table["clicked"] = table.pop("reward")
    file = write_csv(tmp_path / "own.csv", table)
    assert evaluate(file, "--columns", "reward=clicked")[0] == 0
    assert "column reward: is missing" in evaluate(file)[2]


def test_spaces_around_cells_and_names_are_left_out(tmp_path: Path, rows: LoggedBatch) -> None:
    plain = write_csv(tmp_path / "plain.csv", {name: cells[:200] for name, cells in columns(rows).items()})
    (tmp_path / "spaced.csv").write_text(plain.read_text().replace(",", " , "))
    (tmp_path / "noted.csv").write_text("".join(f'"a, b",{line}\n' for line in plain.read_text().splitlines()))
    by_name = []
    for name in ("plain.csv", "spaced.csv", "noted.csv"):
        assert evaluate(tmp_path / name, "--json", tmp_path / "out.json")[0] == 0
        by_name.append(json.loads((tmp_path / "out.json").read_text())["results"])
    assert by_name[0] == by_name[1] == by_name[2]


def test_a_table_without_shoppers_is_said_not_to_be_clustered(tmp_path: Path, rows: LoggedBatch) -> None:
    table, out = columns(rows), tmp_path / "out.json"
    _, output, _ = evaluate(write_csv(tmp_path / "a.csv", table), "--json", out)
    assert "no column shopper" not in output
    assert json.loads(out.read_text())["facts"]["clustered"] is True
    del table["shopper"]
    _, output, _ = evaluate(write_csv(tmp_path / "a.csv", table), "--json", out)
    assert "the table has no column shopper: rows are taken as independent" in output
    assert json.loads(out.read_text())["facts"]["clustered"] is False
    findings = json.loads(out.read_text())["verdict"]["reasons"]
    assert {"not_clustered": "trust"}.items() <= {item["code"]: item["level"] for item in findings}.items()


def test_facts_tell_all_that_was_asked(tmp_path: Path, rows: LoggedBatch) -> None:
    file, out = write_csv(tmp_path / "a.csv", columns(rows)), tmp_path / "out.json"
    assert evaluate(file, "--clip", "3", "--reward-range", "0,2", "--max-weight", "9", "--json", out)[0] == 0
    facts = json.loads(out.read_text())["facts"]
    asked = {"clip": 3.0, "reward_range": "0,2", "max_weight": 9.0, "model": "linear", "draws": 1000, "critical": False}
    assert (asked | {"sequential_draws": 200}).items() <= facts.items()
    assert evaluate(file, "--json", out)[0] == 0
    assert json.loads(out.read_text())["facts"]["clip"] is None


def test_brackets_in_labels_are_no_markup(tmp_path: Path, rows: LoggedBatch) -> None:
    table = {**columns(rows), "[/kind]": ["[vip]", "[/vip]"] * 3_000}
    code, output, _ = evaluate(write_csv(tmp_path / "a.csv", table), "--by", "[/kind]")
    assert code == 0
    assert all(name in output for name in ("By [/kind]", "[vip]", "[/vip]"))


def test_files_that_cannot_be_written_are_refused_before_the_work(tmp_path: Path) -> None:
    for option in ("--json", "--report"):
        for file in (tmp_path, tmp_path / "none" / "out"):
            code, out, err = evaluate(tmp_path / "no log at all.csv", option, file)
            assert (code, out) == (1, "")
            assert f"{file} cannot be written" in err


def test_values_beyond_all_numbers_are_null_in_json(tmp_path: Path) -> None:
    table: dict[str, list[Any]] = {"reward": [1e308, 1e308], "propensity": [0.1, 0.1], "target_propensity": [1, 1]}
    file, out = write_csv(tmp_path / "a.csv", table), tmp_path / "out.json"
    with np.errstate(all="ignore"):
        assert evaluate(file, "--estimators", "ipw", "--json", out)[0] == 0
    assert json.loads(out.read_text())["results"][0]["value"] is None


@pytest.mark.parametrize(
    ("column", "bad", "complaint"),
    [
        ("propensity", "0", "row 2, column propensity: is 0"),
        ("propensity", "1.5", "row 2, column propensity: is 1.5"),
        ("propensity", "nan", "row 2, column propensity: is nan"),
        ("propensity", "", "row 2, column propensity: is empty"),
        ("propensity", "often", "row 2, column propensity: is 'often', not a number"),
        ("target_propensity", "-0.5", "row 2, column target_propensity: is -0.5"),
        ("reward", "inf", "row 2, column reward: is inf"),
        ("shopper", "", "row 2, column shopper: is empty"),
    ],
)
def test_bad_data_names_row_and_column_and_computes_nothing(
    tmp_path: Path, rows: LoggedBatch, column: str, bad: str, complaint: str
) -> None:
    table = {name: cells[:5] for name, cells in columns(rows).items()}
    table[column][1] = bad
    code, out, err = evaluate(write_csv(tmp_path / "bad.csv", table), "--json", tmp_path / "out.json")
    assert code == 1
    assert complaint in err.replace("\n", " ")
    assert out == ""
    assert not (tmp_path / "out.json").exists()


def test_bad_data_in_parquet_is_named_too(tmp_path: Path, rows: LoggedBatch) -> None:
    table = columns(rows)
    table["propensity"][4_321] = None
    assert "row 4322, column propensity: is empty" in evaluate(write_parquet(tmp_path / "a.parquet", table))[2]
    table["propensity"][4_321] = 2.0
    assert "row 4322, column propensity: is 2," in evaluate(write_parquet(tmp_path / "a.parquet", table))[2]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a.csv holds no rows"),
        ("reward,propensity,target_propensity,q_chosen,v_target\n", "a.csv holds no rows"),
        ("reward,propensity\n1,1\n", "column target_propensity: is missing; the table has reward, propensity"),
        ("reward,propensity,target_propensity,q_chosen,v_target\n1,1,1,0,0\n1,1\n", "row 2, column (all): has 2 cells"),
        ("reward,reward,propensity,target_propensity,q_chosen,v_target\n", "column reward: stands twice"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    code, _, err = evaluate(tmp_path / "a.csv")
    assert code == 1
    assert complaint in err.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--estimators", "best"], "there is no estimator 'best'"),
        (["--interval", "bayes"], "there is no interval 'bayes'"),
        (["--interval", "bernstein", "--estimators", "ipw"], "largest possible weight"),
        (["--interval", "sequence"], "a confidence sequence exists for ipw and dr"),
        (["--reward-range", "1"], "--reward-range is two numbers"),
        (["--alpha", "2"], "alpha must lie between 0 and 1"),
        (["--against", "rule"], "a plain table knows one other policy only"),
        (["--columns", "reward"], "--columns is a list of ours=theirs"),
        (["--by", "channel"], "column channel: is missing"),
        (["--columns", "shoper=shopper"], "'shoper' is not a column of plain tables; known are reward"),
        (
            ["--target", "uniform"],
            "rows.csv is a plain table, which holds the target's probabilities: leave out --target",
        ),
        (["--slots", "channel"], "leave out --slots"),
        (["--model", "deep", "--critical"], "leave out --model and --critical"),
        (["--registry", "sqlite://"], "leave out --registry"),
        (["--from", "2026-11-21"], "leave out --from"),
        (["--to", "2026-11-21T17:00:00Z"], "leave out --to"),
        (["--sequential"], "sequential estimators need a log"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, rows: LoggedBatch, options: list[str], complaint: str) -> None:
    file = write_csv(tmp_path / "rows.csv", {name: cells[:50] for name, cells in columns(rows).items()})
    code, _, err = evaluate(file, *options)
    assert code == 1
    assert complaint in err.replace("\n", " ")


@pytest.mark.parametrize(
    "options",
    [
        ["--interval", "bootstrap", "--draws", "50", "--seed", "1"],
        ["--interval", "bootstrap-obp", "--draws", "50"],
        ["--interval", "bernstein", "--estimators", "ipw,dm,dr,switch-dr,dr-os", "--max-weight", "20"],
        ["--interval", "clopper-pearson", "--estimators", "ipw", "--max-weight", "20", "--no-cluster"],
        ["--interval", "sequence", "--estimators", "ipw"],
        ["--interval", "sequence", "--estimators", "ipw,dr", "--max-weight", "20", "--against", "logging"],
    ],
)
def test_every_interval_can_be_asked_for(tmp_path: Path, rows: LoggedBatch, options: list[str]) -> None:
    file, out = write_csv(tmp_path / "rows.csv", columns(rows)), tmp_path / "out.json"
    code, _, err = evaluate(file, *options, "--json", out)
    assert code == 0, err
    for result in json.loads(out.read_text())["results"]:
        if result["low"] is not None:
            assert result["low"] < result["value"] < result["high"]


def part(table: dict[str, list[Any]], first: int, last: int) -> dict[str, list[Any]]:
    return {name: cells[first:last] for name, cells in table.items()}


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_several_files_a_glob_a_directory_and_standard_input_give_the_numbers_of_one_file(
    tmp_path: Path, rows: LoggedBatch, write: Any
) -> None:
    """A shopper's rows may be in several files; the directories' days are a column."""
    table = {**columns(rows), "day": ["1"] * 2_000 + ["2"] * 4_000}
    whole = write(tmp_path / "whole", table)
    expected = evaluate_json(whole, "--by", "day")
    days = tmp_path / "days"
    for day, first, last in (("1", 0, 2_000), ("2", 2_000, 3_001), ("2", 3_001, 6_000)):
        (days / f"day={day}").mkdir(parents=True, exist_ok=True)
        write(days / f"day={day}" / f"{first:04}", {name: cells[first:last] for name, cells in columns(rows).items()})
    files = sorted(path for path in days.rglob("*") if path.is_file())
    for sources in (files, [days], [days / "day=*" / "*"]):
        document = evaluate_json(*sources, "--by", "day")
        for name in ("results", "groups", "verdict"):
            assert document[name] == expected[name]
    assert document["facts"]["source"] == f"{days}/day=1/0000 and 2 more files"
    assert evaluate_json("-", "--by", "day", stdin=whole.read_bytes())["results"] == expected["results"]


def test_an_error_names_the_file_of_several(tmp_path: Path, rows: LoggedBatch) -> None:
    table = columns(rows)
    first = write_csv(tmp_path / "a.csv", part(table, 0, 50))
    bad = part(table, 50, 90)
    bad["propensity"][6] = 0
    second = write_csv(tmp_path / "b.csv", bad)
    assert "b.csv, row 7, column propensity: is 0, must be above 0" in evaluate(first, second)[2]
    del bad["shopper"]
    write_csv(tmp_path / "b.csv", part(bad, 0, 6))
    complaint = evaluate(first, second)[2].replace("\n", " ")
    assert "b.csv, column (all): has propensity, q_chosen" in complaint
    assert "but a.csv has propensity, q_chosen, reward, shopper (text)" in complaint
    assert "a.csv is named twice" in evaluate(first, first)[2]
    assert "evaluate them one by one" in evaluate(first, write_parquet(tmp_path / "c", part(table, 0, 9)))[2]


def test_a_service_is_evaluated_alone(tmp_path: Path, rows: LoggedBatch) -> None:
    file = write_csv(tmp_path / "a.csv", part(columns(rows), 0, 9))
    assert "the log of a service is evaluated alone" in evaluate("sqlite:///none.sqlite", file)[2]


@pytest.mark.parametrize("name", ["log.csv", "log.xlsx", "log.dsjson.gz"])
def test_an_export_says_which_formats_it_writes(tmp_path: Path, name: str) -> None:
    output = CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / name)])
    assert output.exit_code == 1
    assert "the log is written as Parquet (.parquet) or dsjson (.dsjson)" in output.stderr.replace("\n", " ")
    assert not (tmp_path / name).exists()


def test_skipped_lines_are_reported(tmp_path: Path) -> None:
    event = {"_label_cost": -1, "_label_Action": 1, "a": [1, 2], "p": [0.5, 0.5], "c": {"_multi": [{}, {}]}}
    lines = ["[CHECKPOINT]", json.dumps({"RewardValue": 1, "EventId": "x"}), *[json.dumps(event)] * 3]
    (tmp_path / "a.dsjson").write_text("\n".join(lines))
    asked = ("--target", "uniform", "--estimators", "ipw")
    reasons = evaluate_json(tmp_path / "a.dsjson", *asked)["verdict"]["reasons"]
    (skipped,) = (reason for reason in reasons if reason["code"] == "skipped_lines")
    assert skipped["text"] == "skipped: 1 checkpoint line, 1 reward whose decision is not in the log"
    assert skipped["level"] == "trust"
    (tmp_path / "a.dsjson").write_text("\n".join(lines[:2]))
    assert "a.dsjson holds no decision; skipped: 1 checkpoint line" in evaluate(tmp_path / "a.dsjson", *asked)[2]


@pytest.mark.parametrize("command", ["--cb_explore 2", "--cb_explore 2 --first 3", "--cb 2", "--slates"])
def test_a_vw_command_of_another_kind_is_refused(tmp_path: Path, command: str) -> None:
    event = {"_label_cost": -1, "_label_Action": 1, "a": [1, 2], "p": [0.5, 0.5], "c": {"_multi": [{}, {}]}}
    (tmp_path / "a.dsjson").write_text(json.dumps(event))
    code, _, errors = evaluate(tmp_path / "a.dsjson", "--target", f"vw:{command}", "--estimators", "ipw")
    assert code == 1
    assert "use --cb_explore_adf" in errors.replace("\n", " ")
