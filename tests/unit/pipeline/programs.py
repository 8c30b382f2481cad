"""Pipelines with code, for tests that really run them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ia_modules.errors import StepError
from ia_modules.models import ExecutionId, ExecutionRecord, ExecutionStatus, StepExecutionRecord, StepStatus
from ia_modules.pipeline.code import LoadedPipeline, factory_of, load_pipeline
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import Runner, StartedExecution
from ia_modules.pipeline.step_modules import StepModules
from tests.unit.pipeline.factories import document, task

Code = Callable[..., Any] | type[Step]


def pipeline_of(document: Mapping[str, Any], code: Mapping[str, Code]) -> LoadedPipeline:
    """A document with the code of its steps, by step id."""
    definition = load(document, strict=False).definition
    return load_pipeline(
        definition, StepModules(), prepared={step_id: factory_of(each) for step_id, each in code.items()}
    )


async def started(
    journal: Journal, document: Mapping[str, Any], input_data: Mapping[str, Any] | None = None, /, **code: Code
) -> StartedExecution:
    """An execution on record, to be run with ``to_end``."""
    return await Runner(journal).start(pipeline_of(document, code), input_data)


async def nothing(data: dict[str, Any]) -> dict[str, Any]:
    """A step that does nothing."""
    return {}


async def recorded(journal: Journal, execution_id: ExecutionId) -> tuple[ExecutionRecord, list[StepExecutionRecord]]:
    execution = await journal.get_execution(execution_id)
    assert execution is not None
    return execution, await journal.get_execution_steps(execution_id)


def attempts_of(steps: list[StepExecutionRecord]) -> list[tuple[str, int, int, str]]:
    return [(step.step_id, step.iteration, step.attempt, step.status.value) for step in steps]


async def misbehaves(journal: Journal, code: Any, expected: type[Exception], **keys: Any) -> StepExecutionRecord:
    """Run a pipeline of one such step to its failure; what is on record of it."""
    run = await started(journal, document(task("bad", **keys)), bad=code)
    with pytest.raises(StepError) as failed:
        await run.to_end()
    assert isinstance(failed.value, expected) or isinstance(failed.value.__cause__, expected)
    execution, (step,) = await recorded(journal, run.execution_id)
    assert (execution.status, step.status) == (ExecutionStatus.FAILED, StepStatus.FAILED)
    assert "'bad'" in (execution.error_message or "")
    return step
