"""A module has a test of its name, or is listed here with the test that covers it.

``policies/rules/windows.py`` is tested by ``tests/policies/rules/test_windows.py``. Any other module is covered by
a battery of laws over its whole folder, by a test of the module that uses it, or by a story of the whole service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("policies", "offline_eval", "simulators", "decision_service")

TESTED_BY: dict[str, str] = {
    "decision_service.api": "tests/stories/test_contract.py",
    "decision_service.app": "tests/stories/test_recovery.py",
    "decision_service.catalogues.dropped_names": "tests/decision_service/catalogues/test_versions.py",
    "decision_service.catalogues.past_names": "tests/decision_service/commands/test_preference_words.py",
    "decision_service.cli.charts": "tests/decision_service/cli/test_simulate.py",
    "decision_service.cli.export": "tests/decision_service/evaluation/test_logs.py",
    "decision_service.cli.replay": "tests/decision_service/cli/test_command_line.py",
    "decision_service.cli.replay_results": "tests/decision_service/cli/test_command_line.py",
    "decision_service.cli.serve": "tests/decision_service/runtime/test_service.py",
    "decision_service.cli.simulation": "tests/decision_service/cli/test_simulate.py",
    "decision_service.commands.item_status": "tests/decision_service/commands/test_feedback.py",
    "decision_service.commands.outcome_rows": "tests/decision_service/commands/test_feedback.py",
    "decision_service.commands.outcome_statuses": "tests/decision_service/commands/test_feedback.py",
    "decision_service.commands.withdrawing_log": "tests/decision_service/commands/test_preferences.py",
    "decision_service.database": "tests/decision_service/log/test_sql.py",
    "decision_service.errors": "tests/decision_service/api/test_problems.py",
    "decision_service.evaluation": "tests/decision_service/evaluation/test_logs.py",
    "decision_service.learning.fleet": "tests/stories/test_recovery.py",
    "decision_service.learning.registry": "tests/decision_service/learning/registry/test_sql.py",
    "decision_service.log": "tests/decision_service/log/test_base.py",
    "decision_service.log.clock": "tests/stories/test_contract.py",
    "decision_service.log.facts": "tests/stories/test_contract.py",
    "decision_service.log.keys": "tests/decision_service/commands/test_activation.py",
    "decision_service.log.lookups": "tests/decision_service/log/test_base.py",
    "decision_service.log.row_times": "tests/decision_service/commands/test_early_outcomes.py",
    "decision_service.log.schema": "tests/decision_service/log/test_sql.py",
    "decision_service.log.sqlite": "tests/decision_service/log/test_sql.py",
    "decision_service.periodic": "tests/stories/test_recovery.py",
    "decision_service.pipeline": "tests/decision_service/pipeline/test_batch.py",
    "decision_service.projection": "tests/stories/test_recovery.py",
    "decision_service.projection.erased_shoppers": "tests/decision_service/learning/test_learner.py",
    "decision_service.projection.expected_states": "tests/decision_service/cli/test_rebuild_state.py",
    "decision_service.projection.rebuild": "tests/decision_service/cli/test_rebuild_state.py",
    "decision_service.projection.verification": "tests/decision_service/cli/test_rebuild_state.py",
    "decision_service.queries": "tests/stories/test_reading.py",
    "decision_service.queries.report": "tests/decision_service/queries/report/test_report.py",
    "decision_service.runtime": "tests/decision_service/runtime/test_service.py",
    "decision_service.runtime.deployments": "tests/stories/test_whole_service.py",
    "decision_service.runtime.die_with_parent": "tests/decision_service/runtime/test_embedded_redis.py",
    "decision_service.runtime.ingress": "tests/decision_service/runtime/ingress/test_process.py",
    "decision_service.runtime.errors": "tests/decision_service/runtime/test_data_directory.py",
    "decision_service.runtime.snapshots": "tests/decision_service/runtime/snapshots/test_keeper.py",
    "decision_service.runtime.start.damage": "tests/decision_service/runtime/start/test_stores.py",
    "decision_service.schemas": "tests/stories/test_contract.py",
    "decision_service.state": "tests/decision_service/state/test_conformance.py",
    "offline_eval.diagnostics.overlap": "tests/offline_eval/diagnostics/test_verdict.py",
    "offline_eval.errors": "tests/offline_eval/estimators/test_laws.py",
    "offline_eval.estimators": "tests/offline_eval/estimators/test_laws.py",
    "offline_eval.intervals": "tests/offline_eval/intervals/test_laws.py",
    "offline_eval.logs.decisions": "tests/offline_eval/test_weighing.py",
    "offline_eval.logs.dsjson": "tests/offline_eval/logs/dsjson/test_reading.py",
    "offline_eval.logs.features": "tests/offline_eval/logs/dsjson/test_reading.py",
    "offline_eval.logs.service_rows": "tests/decision_service/evaluation/test_log_decisions.py",
    "offline_eval.logs.tables": "tests/offline_eval/logs/tables/test_plain.py",
    "offline_eval.logs.tables.log": "tests/decision_service/evaluation/test_log_decisions.py",
    "offline_eval.question": "tests/decision_service/cli/test_evaluate.py",
    "offline_eval.reports.report": "tests/decision_service/cli/test_evaluate.py",
    "offline_eval.sequential": "tests/offline_eval/sequential/test_evaluation.py",
    "offline_eval.slots": "tests/offline_eval/test_weighing.py",
    "offline_eval.units": "tests/offline_eval/estimators/test_laws.py",
    "policies.extras": "tests/test_distribution.py",
    "policies.arrays": "tests/policies/models/test_policy.py",
    "policies.catalogue.action_space": "tests/policies/catalogue/test_document.py",
    "policies.catalogue.rulebook": "tests/policies/rules/test_rules.py",
    "policies.catalogue.mistakes": "tests/policies/catalogue/test_document.py",
    "policies.decision": "tests/policies/test_decide.py",
    "policies.decision_row": "tests/policies/test_decide.py",
    "policies.explorations": "tests/policies/explorations/test_laws.py",
    "policies.heads": "tests/policies/heads/test_posterior.py",
    "policies.learning": "tests/policies/learning/test_fold.py",
    "policies.models": "tests/policies/models/test_policy.py",
    "policies.models.features": "tests/policies/models/test_compiled.py",
    "policies.models.hashed_weights": "tests/policies/models/test_compiled.py",
    "policies.models.token_weights": "tests/policies/models/test_compiled.py",
    "policies.models.vw": "tests/policies/models/test_compiled.py",
    "policies.models.vw_command_line": "tests/decision_service/evaluation/test_logs.py",
    "policies.records": "tests/decision_service/log/test_base.py",
    "policies.records.withholding": "tests/policies/shopper/test_preferences.py",
    "policies.records.reasons": "tests/policies/rules/test_rules.py",
    "policies.records.request": "tests/policies/rules/test_rules.py",
    "policies.rules": "tests/policies/rules/test_rules.py",
    "policies.rules.batch": "tests/policies/rules/batch/test_ranks.py",
    "policies.sends": "tests/policies/sends/test_transitions.py",
    "policies.shopper.context": "tests/policies/shopper/test_context_page.py",
    "policies.shopper.fold": "tests/policies/shopper/test_state.py",
    "policies.shopper.history": "tests/policies/shopper/test_numbers.py",
    "simulators.arrays": "tests/simulators/world/test_world.py",
    "simulators.channels": "tests/simulators/test_parameters.py",
    "simulators.envs": "tests/simulators/envs/test_notification_env.py",
    "simulators.experiments": "tests/decision_service/cli/test_simulate.py",
    "simulators.experiments.decision_log": "tests/simulators/replay/test_replay.py",
    "simulators.regret": "tests/simulators/regret/test_setup.py",
    "simulators.regret.standings": "tests/benchmarks/test_regret.py",
    "simulators.replay.replay_result": "tests/simulators/replay/test_replay_plan.py",
    "simulators.replay.replay_world": "tests/simulators/replay/test_replay.py",
    "simulators.plans": "tests/simulators/plans/test_price_search.py",
    "simulators.plans.planner_contender": "tests/decision_service/cli/test_simulate.py",
    "simulators.reports": "tests/simulators/reports/test_reporting.py",
    "simulators.senders": "tests/simulators/senders/test_broadcast.py",
    "simulators.shoppers": "tests/simulators/world/test_acceptance.py",
    "simulators.shops": "tests/decision_service/cli/test_simulate.py",
    "simulators.family": "tests/simulators/family/test_draw.py",
    "simulators.number_fields": "tests/simulators/test_parameters.py",
    "simulators.trigger_traits": "tests/simulators/world/test_world.py",
    "simulators.truth": "tests/simulators/truth/test_truth.py",
    "simulators.world": "tests/simulators/world/test_world.py",
}
"""Module or folder → the test that covers its modules without a test of their name; the most exact entry counts."""


def read_modules() -> list[str]:
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if not path.stem.startswith("__")]


def mirror_of(module: str) -> str:
    folder, _, name = module.rpartition(".")
    return f"tests/{folder.replace('.', '/')}/test_{name}.py"


def entry_of(module: str, tested_by: Mapping[str, str]) -> str | None:
    """Return the most exact entry for a module: its own, or that of the nearest folder."""
    while module and module not in tested_by:
        module = module.rpartition(".")[0]
    return module or None


def find_untested(modules: Iterable[str], tests: set[str], tested_by: Mapping[str, str]) -> list[str]:
    return [
        module
        for module in modules
        if mirror_of(module) not in tests
        and ((entry := entry_of(module, tested_by)) is None or tested_by[entry] not in tests)
    ]


def find_needless_entries(modules: Iterable[str], tests: set[str], tested_by: Mapping[str, str]) -> list[str]:
    """Return the entries that cover no module: their modules are gone, or have tests of their names by now."""
    used = {entry_of(module, tested_by) for module in modules if mirror_of(module) not in tests}
    return [entry for entry in tested_by if entry not in used]


TESTS = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_module_is_tested_where_one_looks_for_it() -> None:
    assert find_untested(read_modules(), TESTS, TESTED_BY) == []


def test_every_entry_is_needed() -> None:
    assert find_needless_entries(read_modules(), TESTS, TESTED_BY) == []


def test_a_planted_module_without_a_test_is_found() -> None:
    modules, tests = ["house.rules.caps", "house.records.rows", "house.app"], {"tests/house/rules/test_caps.py"}
    assert find_untested(modules, tests, {}) == ["house.records.rows", "house.app"]
    by_story = {"house.records": "tests/stories/test_all.py"}
    assert find_untested(modules, tests, by_story) == ["house.records.rows", "house.app"]
    assert find_untested(modules, tests | {"tests/stories/test_all.py"}, by_story) == ["house.app"]


def test_a_planted_needless_entry_is_found() -> None:
    modules, tests = ["house.rules.caps"], {"tests/house/rules/test_caps.py"}
    assert find_needless_entries(modules, tests, {"house.rules": "tests/house/rules/test_caps.py"}) == ["house.rules"]
