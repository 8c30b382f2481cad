"""What a runner needs of the journal in memory."""

import asyncio
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import datetime

import orjson
from msgspec.structs import replace

from ia_modules.deciding import decide
from ia_modules.errors import ExecutionNotFound, PipelineConflict, PipelineNotFound
from ia_modules.models import (
    AttemptRecord,
    ExecutionId,
    ExecutionRecord,
    InteractionRecord,
    Json,
    Lease,
    PipelineId,
    PipelineVersionRecord,
    RegisteredVersion,
    RunPath,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    new_id,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import content_hash, encode
from ia_modules.pipeline.memory_journal.records import MemoryRecords
from ia_modules.pipeline.memory_journal.rows import state_of
from ia_modules.pipeline.outputs import rebuilt_output
from ia_modules.pipeline.versions import definition_of
from ia_modules.states import ExecutionState, Known, StepState
from ia_modules.transitions import Recorded, TakeOver, Transition


class RunMemory(MemoryRecords):
    """What a runner needs remembered: a ``Journal``."""

    @property
    def owner(self) -> str:
        return self._owner

    @property
    def traces(self) -> None:
        """A run without records has no trace."""

    async def now(self) -> datetime:
        return self._now()

    async def register_version(
        self,
        slug: str,
        name: str,
        definition: Json = None,
        *,
        description: str | None = None,
        source_folder: str | None = None,
        new_version: bool = False,
        make_current: bool = True,
    ) -> RegisteredVersion:
        del description  # nobody can ask for it here
        pipeline_id = self._slugs.setdefault(slug, PipelineId(new_id()))
        self._names.setdefault(pipeline_id, name)
        versions, current = self._versions.setdefault(pipeline_id, []), self._current.get(pipeline_id)
        if definition is None:
            self._names[pipeline_id] = name
            return RegisteredVersion(pipeline_id=pipeline_id, version=None, current_version=current)
        document = encode(definition, f"definition of {slug!r}")
        content = content_hash(document)
        if content not in versions and current is not None and not new_version:
            raise PipelineConflict(slug, current)
        versions += [content] if content not in versions else []
        version = versions.index(content) + 1
        stored = PipelineVersionRecord(
            pipeline_id=pipeline_id,
            version=version,
            definition=orjson.loads(document),
            content_hash=content,
            source_folder=source_folder,
            created_at=self._now(),
        )
        self._definitions.setdefault((pipeline_id, version), stored)
        if make_current or current is None:
            self._current[pipeline_id], self._names[pipeline_id] = version, name
        return RegisteredVersion(pipeline_id=pipeline_id, version=version, current_version=self._current[pipeline_id])

    async def get_pipeline_version(self, pipeline_id: str, version: int) -> PipelineVersionRecord | None:
        return self._definitions.get((pipeline_id, version))

    async def record(self, transition: Transition) -> Recorded:
        execution_id = transition.execution_id or self._home_of(transition)
        steps = self._steps.get(execution_id, {})
        before = self._executions.get(execution_id)
        decision = decide(
            transition,
            Known(
                execution=None if before is None else before.narrow(ExecutionState),
                steps={step.step_execution_id: step.narrow(StepState) for step in self._touched(transition)},
                latest={
                    follows: steps[newest].narrow(StepState)
                    for start in transition.starts
                    if (follows := start.follows) and (newest := self._latest.get((execution_id, *follows)))
                },
                interactions={each.interaction_id: state_of(each) for each in self._questions_of(execution_id)},
                already_recorded=self._logs.get(execution_id, ()),
                has_inner=execution_id in self._with_inner,
                others_open=self._others_open(transition.answer),
                is_owner_gone=before is not None and before.owner != self._owner,  # there are no signs of life here
            ),
        )
        if transition.new is not None and before is None and transition.new.pipeline_id not in self._versions:
            raise PipelineNotFound(transition.new.pipeline_id)
        if transition.new is not None and before is None:
            self._refuse_repeated(transition.new)
            self._take_key(transition.new)
            self._take_alias(execution_id, transition.new.alias)
        if decision.changed:
            self._apply(transition, decision)
            if decision.rests:
                self._rest(execution_id)
            self._changed.set()
            self._changed = asyncio.Event()
        return replace(decision.recorded, status=self._executions[execution_id].status)

    async def take_over(
        self, execution_id: str, *, owner: str, reopen: bool = False, epoch: int | None = None
    ) -> Lease:
        known = self._row_id(execution_id)
        lease = None if epoch is None else Lease(known, epoch)
        taken = await self.record(
            Transition(execution_id=known, lease=lease, writer=owner, ownership=TakeOver(reopen=reopen))
        )
        return taken.lease

    async def wait(self, execution_id: str) -> ExecutionRecord:
        while True:
            record = await self.get_execution(execution_id)
            if record is None:
                raise ExecutionNotFound(execution_id)
            if record.status.is_at_rest:
                return record
            await self._changed.wait()

    async def end_if_lost(self, execution: ExecutionRecord) -> bool:
        del execution  # there are no signs of life here: what this process knows, it runs
        return False

    def watch_cancellation(self, execution_id: ExecutionId, on_request: Callable[[], object]) -> Callable[[], None]:
        watch, watches = object(), self._cancellations.setdefault(execution_id, {})
        watches[watch] = on_request
        record = self._executions.get(execution_id)
        if record is not None and record.cancel_requested:
            asyncio.get_running_loop().call_soon(lambda: watch in watches and on_request())

        def end() -> None:
            watches.pop(watch, None)
            if not watches and self._cancellations.get(execution_id) is watches:
                del self._cancellations[execution_id]

        return end

    async def get_interactions(
        self, execution_id: str, *, awaited: bool = False, within: RunPath | None = None
    ) -> list[InteractionRecord]:
        execution_id = self._row_id(execution_id)
        steps, questions = self._steps.get(execution_id, {}), deepcopy(self._questions_of(execution_id))
        return [
            question
            for question in sorted(questions, key=lambda question: question.interaction_id)
            if not awaited or steps[question.step_execution_id].status is StepStatus.WAITING
            if within is None or steps[question.step_execution_id].within == within
        ]

    async def get_execution(self, execution_id: str) -> ExecutionRecord | None:
        record = deepcopy(self._executions.get(self._row_id(execution_id)))  # a copy, as a database gives one
        if record is None or record.execution_id not in self._rebuilt:
            return record
        assert record.pipeline_version is not None, "only what a definition ran has an output to be rebuilt"
        definition = definition_of(self._definitions[record.pipeline_id, record.pipeline_version])
        steps = await self.get_execution_steps(record.execution_id)
        output = rebuilt_output(definition, record.input_data, steps)
        return replace(record, output_data=orjson.loads(output))

    async def get_execution_steps(self, execution_id: str, *, within: RunPath = GRAPH) -> list[StepExecutionRecord]:
        steps = [step for step in self._steps.get(self._row_id(execution_id), {}).values() if step.within == within]
        return sorted(deepcopy(steps), key=lambda step: step.step_execution_id)

    async def get_attempts(self, execution_id: str, *, within: RunPath = GRAPH) -> list[AttemptRecord]:
        asked_at = {
            question.step_execution_id: question.created_at
            for question in self._questions_of(self._row_id(execution_id))
        }
        reopened = self._reopened.get(self._row_id(execution_id), 0)
        steps = await self.get_execution_steps(execution_id, within=within)
        return [
            step.as_attempt(
                asked_at.get(step.step_execution_id),
                carries=step.step_execution_id in self._carrying,
                is_reopened=step.sequence <= reopened,
            )
            for step in steps
        ]

    async def results(self, attempts: Iterable[StepExecutionId]) -> dict[StepExecutionId, Json]:
        known = {id_: self._steps[self._home[id_]][id_] for id_ in attempts if id_ in self._home}
        return {id_: deepcopy(step.output_data) for id_, step in known.items()}
