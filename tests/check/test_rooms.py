"""Each thing has its room: every module its test file, the tracker its old import path, executions their two makers."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.check.sources import LIBRARY, ROOT, calls_of, place, python_files, tree_of

UNIT_TESTS = ROOT / "tests" / "unit"

NEEDS_NO_TEST_FILE = {
    "cli/__main__.py": "runs the command line, as tests/unit/cli/test_app.py does",
    "client/failures.py": "the verbs over tracker/failures.py, whose tests go through them",
    "database/apsw_types.py": "types alone",
    "database/postgresql_plans.py": "writes plans, as tests/unit/database/test_plans.py has it do",
    "engines/actor_owner.py": "the owner of an attempt, which tests/conformance has run everything",
    "engines/ray_connection.py": "the part of a cluster that joins it, which tests/unit/engines/test_ray.py tries",
    "engines/ray_link.py": "the way to the driver, which tests/unit/engines/test_ray.py kills and starts anew",
    "engines/ray_messages.py": "messages alone, which tests/conformance has an owner and Ray exchange",
    "engines/ray_driver.py": "a process between an owner and Ray, which tests/conformance has it join",
    "tracker/batch_rows.py": "what is written of a transition, which the contract of journals reads back",
    "errors/base.py": "errors alone, held to the tree by tests/unit/errors/test_tree.py",
    "errors/database.py": "errors alone, held to the tree by tests/unit/errors/test_tree.py",
    "errors/questions.py": "errors alone, held to the tree by tests/unit/errors/test_tree.py",
    "errors/tracking.py": "errors alone, held to the tree by tests/unit/errors/test_tree.py",
    "models/changes.py": "a record alone, which tests/conformance has every journal make",
    "models/clusters.py": "records alone, made of rows as tests/unit/models/test_records.py has it",
    "models/pipelines.py": "records alone, made of rows as tests/unit/models/test_records.py has it",
    "models/questions.py": "records alone, made of rows as tests/unit/models/test_records.py has it",
    "models/steps.py": "records alone, made of rows as tests/unit/models/test_records.py has it",
    "pipeline/child_main.py": "the other side of pipeline/child_process.py, which its tests run",
    "pipeline/desk.py": "what owners write for remote attempts, as tests/unit/pipeline/test_elsewhere.py has them do",
    "pipeline/journal.py": "a protocol, to which tests/conformance holds every journal",
    "pipeline/memory_journal/operating.py": "a part of a journal, which tests/conformance holds to the contract",
    "pipeline/memory_journal/rows.py": "a part of a journal, which tests/conformance holds to the contract",
    "pipeline/step_modules.py": "where code comes from, which tests/unit/pipeline/test_code.py has found and refused",
    "testing/changes_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/contract_transitions.py": "what the contract is made of, to which tests/conformance holds every journal",
    "testing/executions_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/executor_contract.py": "a contract, to which tests/conformance holds every executor",
    "testing/executor_steps.py": "the steps of a contract, to which tests/conformance holds every executor",
    "testing/levels_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/output_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/people_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/places_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/queue_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/steps_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/usage_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "testing/versions_contract.py": "a part of the contract, to which tests/conformance holds every journal",
    "version.py": "one constant",
}
"""Modules by their path in the library, with the reason."""


def file_for(module: str) -> Path:
    path = UNIT_TESTS / module
    return path.with_name(f"test_{path.name}")


def modules() -> list[str]:
    return [path.relative_to(LIBRARY).as_posix() for path in python_files(LIBRARY) if path.name != "__init__.py"]


def test_every_module_has_a_test_file_of_its_name_or_a_reason_why_not() -> None:
    missing = [module for module in modules() if not file_for(module).exists()]
    assert sorted(missing) == sorted(NEEDS_NO_TEST_FILE)


def test_web_is_the_import_path_of_the_tracker_and_nothing_else() -> None:
    assert [module for module in modules() if module.startswith("web/")] == ["web/execution_tracker.py"]


def functions_that_make_executions() -> Iterator[str]:
    for path in python_files(LIBRARY):
        if "NewExecution(" not in path.read_text(encoding="utf-8"):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and next(calls_of("NewExecution", node), None):
                yield f"{place(path)} {node.name}"


def test_two_functions_make_executions() -> None:
    """One for every start, the other for what a program records itself; the test suites make their own."""
    makers = [each for each in functions_that_make_executions() if not each.startswith("ia_modules/testing/")]
    assert makers == ["ia_modules/pipeline/start.py new_execution", "ia_modules/tracker/writer.py recorded_execution"]
