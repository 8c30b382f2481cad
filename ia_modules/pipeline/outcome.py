"""What an execution on record has come to: its result, or its error."""

from typing import Any

from ia_modules.errors import ExecutionCancelled, ExecutionFailed
from ia_modules.models import ExecutionRecord, ExecutionStatus, StepStatus
from ia_modules.pipeline.answers import returned_question
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.recorded import in_order_of_completion, recorded_runs
from ia_modules.pipeline.results import run_result


async def recorded_result(journal: Journal, record: ExecutionRecord) -> dict[str, Any]:
    """The result of an execution by its records: input, step runs in order of completion, output, status.

    While it waits for a person, the output is what the waiting step returned, the question included.
    """
    steps = await journal.get_execution_steps(record.execution_id)
    attempts = {step.step_execution_id: step for step in steps}
    runs = in_order_of_completion(recorded_runs(step.as_attempt() for step in steps))
    completed = (attempts[run.last.step_execution_id] for run in runs)
    result = run_result(
        record.execution_id,
        record.status,
        input_data=record.input_data,
        steps=((step.step_id, step.output_data, step.status) for step in completed),
        output=record.output_data,
    )
    waiting = next((step for step in steps if step.status is StepStatus.WAITING), None)
    if waiting is not None:
        questions = await journal.get_interactions(record.execution_id)
        of_step = [each for each in questions if each.step_execution_id == waiting.step_execution_id]
        of_items = [each for each in questions if each.step_id == waiting.step_id and each.status == "pending"]
        question = next(iter(of_step or of_items), None)
        result["waiting_step"] = waiting.step_id
        result["interaction_id"] = question and question.interaction_id
        if record.status is ExecutionStatus.WAITING_FOR_HUMAN and question is not None:
            result["output"] = returned_question(waiting, question)
    return result


async def recorded_end(journal: Journal, record: ExecutionRecord) -> dict[str, Any]:
    """The result of an execution that is at rest.

    Raises:
        ExecutionCancelled, ExecutionFailed: it has none, since it ended so.
    """
    if record.status is ExecutionStatus.CANCELLED:
        raise ExecutionCancelled(record.execution_id)
    if record.status is ExecutionStatus.FAILED:
        steps = await journal.get_attempts(record.execution_id)
        failed = [step.step_id for step in steps if step.status is StepStatus.FAILED]
        raise ExecutionFailed(
            record.execution_id,
            error_type=record.error_type,
            error_message=record.error_message,
            step_id=failed[-1] if failed else None,
        )
    return await recorded_result(journal, record)
