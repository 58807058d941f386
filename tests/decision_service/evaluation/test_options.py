"""The options of `evaluate`: a field is an option, and the facts of the results hold what a reader needs."""

from __future__ import annotations

from dataclasses import fields

import typer.main

from decision_service.cli.evaluate import app
from decision_service.evaluation.options import EvaluateOptions, find_options
from offline_eval import find_parameters


def test_every_field_and_every_parameter_of_an_estimator_is_an_option() -> None:
    known = {parameter.name: parameter for parameter in typer.main.get_command(app).params}
    wanted = {
        field.name: field.default for field in fields(EvaluateOptions) if field.name not in ("source", "parameters")
    }
    wanted |= {name: parameter.default for name, (parameter, _) in find_parameters().items()}
    assert known.keys() == {"source", *wanted}
    assert {name: known[name].default for name in wanted} == wanted
    assert known["start"].opts == ["--from"]
    assert known["shrinkage"].opts == ["--lambda"]
    assert known["critical"].secondary_opts == []


def test_options_of_a_log_are_those_that_were_set() -> None:
    assert EvaluateOptions(["a.csv"]).options_of_log() == []
    options = EvaluateOptions(["a.csv"], target="rule", against="logging", critical=True, end="2026-11-21")
    assert options.options_of_log() == ["--target", "--critical", "--to"]


def test_facts_hold_the_parameters_and_no_infinity() -> None:
    facts = EvaluateOptions(["a.csv"], parameters={"clip": 3.0}, start="2026-11-21", draws=7).facts()
    values = {"clip": 3.0, "tau": 5.0, "lambda": 5.0, "from": "2026-11-21", "draws": 7, "sequential_draws": 7}
    assert values.items() <= facts.items()
    assert facts["max_weight"] is None
    assert not {"json", "report", "strict", "source"} & facts.keys()


def test_every_option_says_what_it_is_for() -> None:
    assert all(option.help.endswith(".") for _, option in find_options())
