"""Makes executions to compare: as few runs as the case needs, with their payloads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    ExecutionSummary,
    Json,
    PipelineId,
    PipelineVersionRecord,
    StepExecutionId,
    StepStatus,
)
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.comparing.alignment import ComparedExecution
from ia_modules.pipeline.comparing.contrast import NOTHING, Payload
from ia_modules.pipeline.recorded import refs_json
from ia_modules.pipeline.tokens import StepRunKey
from tests.unit.pipeline.test_recorded import row

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """One attempt.

    Attributes:
        takes: the targets of the paths that were taken; None: nothing was decided.
        parents: as ``step`` or ``step#iteration``.
        input: None: the state.
    """

    step_id: str
    output: Json | Payload = None
    input: Json | Payload = None
    iteration: int = 1
    attempt: int = 1
    within: str = ""
    status: StepStatus = StepStatus.COMPLETED
    takes: Sequence[str] | None = ()
    parents: Sequence[str] = ()
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def id(self) -> StepExecutionId:
        return StepExecutionId(f"{self.within}/{self.step_id}/{self.iteration}/{self.attempt}")

    def record(self, paths: Mapping[tuple[str, str], int]) -> Any:
        routes: dict[str, Any] | None = None
        if self.takes is not None:
            numbered = {**{(self.step_id, target): None for target in self.takes}, **paths}
            routes = {
                "next": "paths",
                "paths": [
                    {"path": number, "to_step": target, "taken": target in self.takes, "why": "always"}
                    for (source, target), number in numbered.items()
                    if source == self.step_id
                ],
            }
        keys = [
            StepRunKey(name, int(number or 1)) for name, _, number in (each.partition("#") for each in self.parents)
        ]
        columns = {
            "step_execution_id": self.id,
            "within": self.within,
            "attempt": self.attempt,
            "status": self.status,
            "routes": routes,
            "input_refs": refs_json(keys, is_state=self.input is None),
            **self.columns,
        }
        return row(StepRunKey(self.step_id, self.iteration), **columns)


def content(value: Json | Payload) -> Payload:
    if isinstance(value, Payload):
        return value
    return NOTHING if value is None else Payload.of(encode(value, "payload"))


def side(
    *made: Made,
    document: dict[str, Any] | None = None,
    input_data: Json | Payload = None,
    output: Json = None,
    more_steps: bool = False,
    **columns: Any,
) -> ComparedExecution:
    """An execution that has completed, unless ``columns`` say otherwise.

    Args:
        document: the pipeline file that it ran.
    """
    numbers: dict[tuple[str, str], int] = {}
    version: PipelineVersionRecord | None = None
    if document is not None:
        for number, path in enumerate(document["flow"]["paths"]):
            numbers[path["from_step"], path["to_step"]] = number
        version = PipelineVersionRecord(
            pipeline_id=PipelineId("pipeline"),
            version=1,
            definition=document,
            content_hash=content_hash(encode(document, "definition")),
            source_folder=None,
            created_at=NOW,
        )
    known: dict[str, Any] = {
        "execution_id": ExecutionId("execution"),
        "alias": None,
        "pipeline_id": PipelineId("pipeline"),
        "pipeline_name": "Nightly",
        "pipeline_version": None if version is None else 1,
        "status": ExecutionStatus.COMPLETED,
        "managed": True,
        "trigger": "program",
        "priority": 0,
        "run_at": None,
        "owner": None,
        "epoch": 1,
        "recoveries": 0,
        "sequence": 1,
        "cancel_requested": False,
        "rerun_of": None,
        "total_steps": 0,
        "completed_steps": 0,
        "failed_steps": 0,
        "failure_group": None,
        "imported_at": None,
        "rows_sha256": None,
        "failed_step": None,
        "went_on": None,
        "error_type": None,
        "error_message": None,
        "created_at": NOW,
        "started_at": NOW,
        "completed_at": NOW,
        **columns,
    }
    return ComparedExecution(
        execution=ExecutionSummary(**known),
        version=version,
        input=content(input_data),
        output=content(output),
        steps=[each.record(numbers) for each in made],
        contents={each.id: (content(each.input), content(each.output)) for each in made},
        more_steps=more_steps,
    )
