"""Running an example with a tracker, and what is on record of it afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ia_modules.models import ExecutionRecord, LogRecord, StepExecutionRecord
from ia_modules.pipeline.core import ServiceRegistry
from ia_modules.pipeline.runner import run_pipeline_from_json
from ia_modules.tracker.execution_tracker import ExecutionTracker

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the database says about one execution; nothing here comes from the runner's memory."""

    execution: ExecutionRecord
    steps: list[StepExecutionRecord]
    logs: list[LogRecord]

    @property
    def output(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.execution.output_data)

    def attempts(self, step_id: str) -> list[StepExecutionRecord]:
        """Every attempt of every iteration, in the order in which they began."""
        return [step for step in self.steps if step.step_id == step_id]

    def step(self, step_id: str) -> StepExecutionRecord:
        """The one attempt that was made."""
        [step] = self.attempts(step_id)
        return step

    def results(self, step_id: str) -> list[dict[str, Any]]:
        return [cast("dict[str, Any]", step.output_data) for step in self.attempts(step_id)]

    def lines(self, step_id: str) -> list[str]:
        """What the attempts of a step wrote."""
        attempts = {step.step_execution_id for step in self.attempts(step_id)}
        return [line.message for line in self.logs if line.step_execution_id in attempts]


def routes(step: StepExecutionRecord) -> dict[str, tuple[bool, str]]:
    """Target → whether the path was taken, and why."""
    routes_on_record = cast("dict[str, Any]", step.routes)
    return {path["to_step"]: (path["taken"], path["why"]) for path in routes_on_record["paths"]}


def taken(step: StepExecutionRecord) -> list[str]:
    return [target for target, (is_taken, _) in routes(step).items() if is_taken]


async def run_example(tracker: ExecutionTracker, name: str, input_data: Mapping[str, Any] | None = None) -> Recorded:
    """Run ``examples/<name>/pipeline.json`` to its end; the result says what the records say."""
    services = ServiceRegistry({"execution_tracker": tracker})
    result = await run_pipeline_from_json(EXAMPLES / name / "pipeline.json", input_data, services)
    recorded = await recorded_of(tracker, result["execution_id"])
    assert result["output"] == recorded.output
    assert result["status"] == recorded.execution.status
    return recorded


async def recorded_of(tracker: ExecutionTracker, execution_id: str) -> Recorded:
    execution = await tracker.get_execution(execution_id)
    assert execution is not None
    logs: list[LogRecord] = []
    after, is_more = 0, True
    while is_more:
        changes = await tracker.changes(execution_id, after)
        logs += changes.logs
        after, is_more = changes.upto, changes.more
    return Recorded(execution, await tracker.get_execution_steps(execution_id), logs)
