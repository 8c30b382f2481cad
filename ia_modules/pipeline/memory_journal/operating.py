"""What those need of the journal in memory who steer and watch executions."""

from collections.abc import AsyncGenerator, Iterable
from copy import deepcopy
from typing import Self

from ia_modules.errors import ExecutionNotFound, InteractionNotFound, StepExecutionNotFound, TrackerError
from ia_modules.models import (
    Changes,
    ClaimedExecution,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    InteractionRecord,
    InteractionSummary,
    Json,
    LogLevel,
    LogRecord,
    RunPath,
    StalledExecution,
    StepExecutionId,
    StepStatus,
    StepSummary,
    version_key,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import check_count, encode
from ia_modules.pieces import OutputCursor, OutputPage, OutputPiece, OutputRow, output_page
from ia_modules.pipeline.journal import PAGE_LIMIT, page_of
from ia_modules.pipeline.memory_journal.running import RunMemory
from ia_modules.transitions import (
    Answer,
    Assignment,
    Claim,
    Recovery,
    RequestCancel,
    Transition,
    WakeUp,
    cluster_in,
)


class MemoryJournal(RunMemory):
    """A real journal without a database."""

    async def request_cancel(self, execution_id: str) -> ExecutionStatus:
        execution_id = self._row_id(execution_id)
        requested = await self.record(
            Transition(execution_id=execution_id, writer=self._owner, ownership=RequestCancel())
        )
        for on_request in list(self._cancellations.get(execution_id, {}).values()):
            on_request()
        return requested.status

    async def get_interaction(self, interaction_id: str) -> InteractionRecord | None:
        question = self._interactions.get(interaction_id)
        questions = [] if question is None else await self.get_interactions(question.execution_id)
        return next((each for each in questions if each.interaction_id == interaction_id), None)

    async def answer_interaction(
        self, interaction_id: str, response: Json, *, actor: str, verified: bool = False
    ) -> ExecutionId:
        text = encode(response, "answer")
        answer = Answer(interaction_id=interaction_id, actor=actor, response=text, verified=verified)
        return await self._record_answer(answer, actor)

    async def assign_interaction(self, interaction_id: str, users: Iterable[str], *, actor: str) -> ExecutionId:
        return await self._record_answer(Assignment(interaction_id=interaction_id, users=tuple(users)), actor)

    async def _record_answer(self, change: Answer | Assignment, actor: str) -> ExecutionId:
        question = self._interactions.get(change.interaction_id)
        if question is None:
            raise InteractionNotFound(change.interaction_id)
        await self.record(Transition(execution_id=question.execution_id, writer=actor, answer=change))
        return question.execution_id

    async def changes(
        self, execution_id: str, after: int = 0, *, within: RunPath = GRAPH, limit: int = PAGE_LIMIT
    ) -> Changes:
        execution_id = self._row_id(execution_id)
        execution = self._executions.get(execution_id)
        if execution is None:
            raise ExecutionNotFound(execution_id)
        steps = [
            deepcopy(step.narrow(StepSummary))
            for step in self._steps[execution_id].values()
            if step.sequence > after and step.within == within
        ]
        interactions = [
            deepcopy(question.narrow(InteractionSummary))
            for question in self._questions_of(execution_id)
            if question.sequence > after
        ]
        logs = [
            deepcopy(line)
            for line in self._logs[execution_id].values()
            if line.sequence > after and line.within == within
        ]
        return page_of(execution.narrow(ExecutionSummary), steps, interactions, logs, after=after, limit=limit)

    async def output(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        limit: int = 200,
    ) -> OutputPage:
        check_count(limit, "limit", low=1, high=1000)
        cursor, execution_id = OutputCursor.of(after), self._row_id(execution_id)
        execution, steps = self._executions.get(execution_id), self._steps.get(execution_id, {})
        if execution is None:
            raise ExecutionNotFound(execution_id)
        if step_execution_id is not None and step_execution_id not in steps:
            raise StepExecutionNotFound(step_execution_id)
        lines = [
            line
            for line in self._logs[execution_id].values()
            if line.level is LogLevel.OUTPUT
            and cursor.is_before(line.sequence, line.log_id)
            and step_execution_id in (None, line.step_execution_id)
        ]
        lines.sort(key=lambda line: (line.sequence, line.log_id))
        rows = (self._output_row(line) for line in deepcopy(lines[: limit + 1]))
        status = None if step_execution_id is None else steps[StepExecutionId(step_execution_id)].status
        is_over = execution.status.is_terminal or (status is not None and status.is_terminal)
        return output_page(rows, cursor, limit=limit, is_over=is_over, rests=execution.status.is_at_rest)

    def _output_row(self, line: LogRecord) -> OutputRow:
        step = None if line.step_execution_id is None else self._steps[line.execution_id][line.step_execution_id]
        return OutputRow(
            log_id=line.log_id,
            execution_id=line.execution_id,
            within=line.within,
            step_execution_id=line.step_execution_id,
            step_id=None if step is None else step.step_id,
            iteration=None if step is None else step.iteration,
            attempt=None if step is None else step.attempt,
            logger=line.logger,
            message=line.message,
            data=line.data,
            logged_at=line.logged_at,
            sequence=line.sequence,
        )

    async def stream(
        self,
        execution_id: str,
        after: str | int | None = None,
        *,
        step_execution_id: str | None = None,
        to_rest: bool = False,
    ) -> AsyncGenerator[OutputPiece]:
        while True:
            changed = self._changed
            page = await self.output(execution_id, after, step_execution_id=step_execution_id)
            for piece in page.items:
                yield piece
            after = page.cursor
            if page.more:
                continue
            if page.is_over or (to_rest and page.rests):
                return
            await changed.wait()

    @property
    def ownership(self) -> Self:
        return self

    async def claim(
        self, limit: int, *, unusable: Iterable[str] = (), cluster: str | None = None
    ) -> list[ClaimedExecution]:
        versions = set(unusable)
        queued = [
            record
            for record in self._executions.values()
            if record.status is ExecutionStatus.PENDING
            and record.managed
            and version_key(record.pipeline_id, record.pipeline_version) not in versions
            and self._clusters_of(record.execution_id) <= {cluster}
        ]
        queued.sort(key=lambda record: (-record.priority, record.execution_id))
        for record in queued[:limit]:
            await self.record(Transition(execution_id=record.execution_id, writer=self._owner, ownership=Claim()))
        return [self._claimed(self._executions[record.execution_id]) for record in queued[:limit]]

    def _clusters_of(self, execution_id: ExecutionId) -> set[str | None]:
        """The Ray clusters that attempts of an execution run on."""
        steps = self._steps[execution_id].values()
        return {cluster_in(step.awaits) for step in steps if step.status is StepStatus.RUNNING} - {None}

    def _claimed(self, record: ExecutionRecord) -> ClaimedExecution:
        stored = self._definitions.get((record.pipeline_id, record.pipeline_version or 0))
        return ClaimedExecution(
            execution_id=record.execution_id,
            epoch=record.epoch,
            pipeline_id=record.pipeline_id,
            pipeline_version=record.pipeline_version,
            pipeline_name=record.pipeline_name,
            source_folder=None if stored is None else stored.source_folder,
            input_data=record.input_data,
            rerun_of=record.rerun_of,
            overrides=record.overrides,
            traceparent=record.traceparent,
        )

    async def wake_due(self) -> float | None:
        now = self._now()
        resting = [
            (record.run_at, record.execution_id)
            for record in self._executions.values()
            if record.managed and record.run_at is not None
        ]
        for run_at, execution_id in resting:
            if run_at <= now:
                await self.record(Transition(execution_id=execution_id, writer=self._owner, ownership=WakeUp()))
        return min(((run_at - now).total_seconds() for run_at, _ in resting if run_at > now), default=None)

    async def owned(self) -> list[StalledExecution]:
        owned = [record for record in self._executions.values() if record.managed and record.owner == self._owner]
        return [
            StalledExecution.of(record, is_elsewhere=bool(self._clusters_of(record.execution_id)))
            for record in owned
            if record.status is ExecutionStatus.RUNNING
        ]

    async def recover(self, stalled: StalledExecution, recovery: Recovery) -> bool:
        try:
            await self.record(Transition(lease=stalled.lease, writer=self._owner, ownership=recovery))
        except TrackerError:
            return False
        return True
