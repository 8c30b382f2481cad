"""Executions whose steps have told of calls of models."""

from ia_modules.models import ExecutionId, PipelineId, RunPath, StepExecutionId, StepStatus, new_id
from ia_modules.paths import GRAPH
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import NewExecution, StepStart, StepUpdate, Transition
from ia_modules.usage import UsageCall, UsageTally


def call(
    model: str, tokens: int, cost_micros: int | None = None, *, provider: str | None = None, cached: int = 0
) -> UsageCall:
    """A call that gives a token for each ten that it takes."""
    return UsageCall(
        model=model,
        provider=provider,
        source="unknown" if cost_micros is None else "computed",
        input_tokens=tokens,
        output_tokens=tokens // 10,
        cached_tokens=cached,
        cost_micros=cost_micros,
    )


async def execution_that_used(
    tracker: ExecutionTracker,
    pipeline_id: PipelineId,
    *attempts: list[UsageCall],
    status: StepStatus = StepStatus.COMPLETED,
) -> ExecutionId:
    """An execution with an attempt for each of these, the second and later ones within the first."""
    execution_id = ExecutionId(new_id())
    new = NewExecution(pipeline_id=pipeline_id)
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, new=new))
    for number, calls in enumerate(attempts):
        attempt, within = StepExecutionId(new_id()), GRAPH if number == 0 else RunPath("ask#1")
        start = StepStart(
            step_execution_id=attempt,
            step_id="ask" if number == 0 else "call",
            step_name="ask",
            step_type="task",
            within=within,
        )
        await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, starts=(start,)))
        tally = UsageTally()
        for each in calls:
            tally.add(each)
        end = StepUpdate(
            step_execution_id=attempt, status=None if number == 0 else status, usage=tally.usage if calls else None
        )
        await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, updates=(end,)))
    return execution_id
