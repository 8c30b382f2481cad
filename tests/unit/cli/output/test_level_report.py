from datetime import UTC, datetime

from ia_modules.cli.output.level_report import counts_text, level_lines
from ia_modules.models import ExecutionId, RunPath, StepExecutionId, StepStatus, StepSummary
from ia_modules.tracker.levels import RunPage

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def failed_run(iteration: int, *, name: str) -> StepSummary:
    return StepSummary(
        step_execution_id=StepExecutionId("s"),
        execution_id=ExecutionId("e"),
        within=RunPath("work#1"),
        step_id="work",
        step_name=name,
        step_type="task",
        iteration=iteration,
        attempt=2,
        retry_count=0,
        status=StepStatus.FAILED,
        worker=None,
        wake_at=None,
        awaits=None,
        effect=None,
        routes=None,
        error_type="OSError",
        error_message="no answer\nat all",
        progress=None,
        progress_message=None,
        copied_from=None,
        input_bytes=0,
        output_bytes=0,
        sequence=1,
        created_at=NOW,
        started_at=NOW,
        completed_at=NOW,
    )


def test_counts_are_told_in_one_line() -> None:
    assert (
        counts_text({StepStatus.COMPLETED: 99_998, StepStatus.FAILED: 2}) == "100,000 runs: 99,998 completed, 2 failed"
    )
    assert counts_text({StepStatus.RUNNING: 1}) == "1 run: 1 running"


def test_the_first_failures_are_named_with_their_keys_and_the_others_are_one_command_away() -> None:
    items = [failed_run(n, name="work" if n == 2 else f"doc-{n}") for n in range(1, 7)]
    page = RunPage(items=items, next_cursor=None, by_status={StepStatus.COMPLETED: 3, StepStatus.FAILED: 8})
    assert [*level_lines(page, "ia-modules executions items X work")] == [
        "11 runs: 3 completed, 8 failed",
        "work#1 (doc-1) failed: OSError: no answer",
        "work#2 failed: OSError: no answer",
        "work#3 (doc-3) failed: OSError: no answer",
        "work#4 (doc-4) failed: OSError: no answer",
        "work#5 (doc-5) failed: OSError: no answer",
        "and 3 more: ia-modules executions items X work --failed",
    ]
    none = RunPage(items=[], next_cursor=None, by_status={StepStatus.COMPLETED: 3})
    assert [*level_lines(none, "")] == ["3 runs: 3 completed"]
