from datetime import UTC, datetime

import pytest

from ia_modules.cli.output.step_table import StepRow, StepTable, visible
from ia_modules.models import (
    Changes,
    ExecutionId,
    ExecutionStatus,
    ExecutionSummary,
    PipelineId,
    StepExecutionId,
    StepStatus,
    StepSummary,
)
from tests.unit.pipeline.factories import graph

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def execution(status: str = "running") -> ExecutionSummary:
    return ExecutionSummary(
        execution_id=ExecutionId("e"),
        pipeline_id=PipelineId("p"),
        pipeline_name="Nightly",
        pipeline_version=1,
        status=ExecutionStatus(status),
        managed=False,
        trigger="cli",
        priority=0,
        run_at=None,
        owner=None,
        epoch=1,
        recoveries=0,
        sequence=1,
        cancel_requested=False,
        alias=None,
        rerun_of=None,
        total_steps=0,
        completed_steps=0,
        failed_steps=0,
        error_type=None,
        error_message=None,
        failure_group=None,
        imported_at=None,
        rows_sha256=None,
        failed_step=None,
        went_on=None,
        created_at=NOW,
        started_at=NOW,
        completed_at=None,
    )


def attempt(step_id: str, status: str, *, iteration: int = 1, number: int = 1, **keys: object) -> StepSummary:
    usual: dict[str, object] = {
        "step_execution_id": StepExecutionId(f"{step_id}/{iteration}/{number}"),
        "execution_id": ExecutionId("e"),
        "within": "",
        "step_id": step_id,
        "step_name": step_id,
        "step_type": "task",
        "iteration": iteration,
        "attempt": number,
        "retry_count": 0,
        "status": StepStatus(status),
        "worker": None,
        "wake_at": None,
        "awaits": None,
        "effect": None,
        "routes": None,
        "error_type": None,
        "error_message": None,
        "progress": None,
        "progress_message": None,
        "copied_from": None,
        "input_bytes": 0,
        "output_bytes": 0,
        "sequence": 1,
        "created_at": NOW,
        "started_at": NOW,
        "completed_at": None,
    }
    return StepSummary(**{**usual, **keys})  # pyright: ignore[reportArgumentType]


def to(*targets: tuple[str, bool]) -> dict[str, object]:
    paths = [{"path": i, "to_step": step, "taken": taken, "why": "so"} for i, (step, taken) in enumerate(targets)]
    return {"next": "paths", "paths": paths}


def words(table: StepTable) -> dict[str, str]:
    return {row.name: row.word for row in table.rows()}


def seen(*steps: StepSummary, status: str = "running") -> StepTable:
    fork = graph("a", "b", "c", "d", paths=[("a", "b"), ("a", "c"), ("c", "d")])
    return StepTable(fork).after(Changes(execution=execution(status), steps=steps, logs=(), after=0, upto=1))


def test_what_can_no_longer_be_reached_is_skipped_at_once_and_says_why() -> None:
    assert words(seen()) == dict.fromkeys("abcd", "pending")
    running = seen(attempt("a", "completed", routes=to(("b", True), ("c", False))), attempt("b", "running"))
    assert words(running) == {"a": "completed", "b": "running", "c": "skipped", "d": "skipped"}
    assert [row.note for row in running.rows()] == ["", "", "so, after a", ""]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_would_have_followed_is_not_run_rather_than_skipped(status: str) -> None:
    routes = to(("b", False), ("c", True))
    ended = seen(attempt("a", "completed", routes=routes), attempt("c", status, routes={"next": "stop"}), status=status)
    assert words(ended) == {"a": "completed", "b": "skipped", "c": status, "d": "not run"}


def test_an_attempt_that_is_made_again_is_retrying_until_nothing_more_happens() -> None:
    failed = attempt(
        "a", "failed", routes={"next": "retry", "delay_seconds": 2}, error_type="ValueError", error_message="no\nwhy"
    )
    [row, *_] = seen(failed).rows()
    assert (row.word, row.note, row.is_active) == ("retrying", "ValueError: no; again after 2.0 s", True)
    [row, *_] = seen(failed, status="cancelled").rows()
    assert (row.word, row.note) == ("failed", "ValueError: no")


def test_only_the_newest_attempt_of_the_newest_iteration_is_shown_whatever_the_order() -> None:
    steps = [
        attempt("a", "running", iteration=2, number=2),
        attempt("a", "completed", number=3),
        attempt("a", "failed"),
    ]
    for order in (steps, steps[::-1]):
        [row, *_] = seen(*order).rows()
        assert (row.word, row.note) == ("running", "iteration 2, attempt 2")


def test_a_program_without_a_definition_is_shown_as_it_comes() -> None:
    changes = Changes(execution=execution(), steps=(attempt("x", "running"),), logs=(), after=0, upto=1)
    assert words(StepTable().after(changes)) == {"x": "running"}


def test_too_many_rows_leave_out_what_matters_least() -> None:
    rows = [StepRow(str(number), "completed", "", None) for number in range(30)]
    rows[20] = StepRow("20", "running", "", None)
    rows[3] = StepRow("3", "failed", "", None)
    shown = visible(rows, 6)
    names = [row.name for row in shown if isinstance(row, StepRow)]
    assert names == ["3", "18", "19", "20", "21"]
    assert shown[-1] == "… and 25 completed"
    assert visible(rows, 30) == rows
