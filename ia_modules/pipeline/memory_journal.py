"""A journal that remembers in this process only: what a run without records uses.

It keeps every promise of the protocol but one: what it knows ends with the process.
"""

import asyncio
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Self

import orjson
from msgspec.structs import replace

from ia_modules.answering import answer_columns
from ia_modules.closing import Closing
from ia_modules.deciding import Decision, decide, grouped
from ia_modules.errors import (
    ConstraintViolated,
    ExecutionNotFound,
    InteractionNotFound,
    PipelineConflict,
    PipelineNotFound,
    StepExecutionNotFound,
    TrackerError,
)
from ia_modules.failure_groups import FailureGroup
from ia_modules.models import (
    AttemptRecord,
    Changes,
    ClaimedExecution,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    ExecutionSummary,
    InteractionRecord,
    InteractionSummary,
    Json,
    JsonText,
    Lease,
    LogRecord,
    PipelineId,
    PipelineVersionRecord,
    RegisteredVersion,
    ResponseRecord,
    RunPath,
    StalledExecution,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    StepSummary,
    new_id,
    version_key,
)
from ia_modules.paths import GRAPH
from ia_modules.payload import content_hash, encode, size_bytes
from ia_modules.pipeline.journal import PAGE_LIMIT, page_of
from ia_modules.pipeline.outputs import rebuilt_output
from ia_modules.pipeline.versions import definition_of
from ia_modules.states import WAITING, ExecutionState, GivenAnswer, InteractionState, Known, StepState
from ia_modules.transitions import (
    Answer,
    Assignment,
    Claim,
    ExecutionUpdate,
    Failure,
    NewExecution,
    NewInteraction,
    Recorded,
    Recovery,
    RequestCancel,
    Requeue,
    StepCopy,
    StepStart,
    StepUpdate,
    TakeOver,
    Transition,
    WakeUp,
)


class MemoryJournal:
    """A real journal without a database."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), owner: str = "this process") -> None:
        self._now, self._owner = now, owner
        self._interactions: dict[str, InteractionRecord] = {}
        self._cancellations: dict[ExecutionId, dict[object, Callable[[], object]]] = {}
        self._slugs: dict[str, PipelineId] = {}
        self._names: dict[PipelineId, str] = {}
        self._versions: dict[PipelineId, list[str]] = {}
        self._current: dict[PipelineId, int] = {}
        self._definitions: dict[tuple[str, int], PipelineVersionRecord] = {}
        self._executions: dict[ExecutionId, ExecutionRecord] = {}
        self._rebuilt: set[ExecutionId] = set()  # whose output is a reference
        self._steps: dict[ExecutionId, dict[StepExecutionId, StepExecutionRecord]] = {}
        self._latest: dict[tuple[ExecutionId, RunPath, str, int | None], StepExecutionId] = {}
        self._with_inner: set[ExecutionId] = set()
        self._logs: dict[ExecutionId, dict[str, LogRecord]] = {}
        self._home: dict[StepExecutionId, ExecutionId] = {}
        self._requests: set[tuple[PipelineId, str]] = set()
        self._carrying: set[StepExecutionId] = set()  # those that ask what is carried over an edit
        self._aliases: dict[str, ExecutionId] = {}
        self._reopened: dict[ExecutionId, int] = {}
        self._changed = asyncio.Event()  # a new one after every change

    @property
    def owner(self) -> str:
        return self._owner

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
                interactions={each.interaction_id: _state_of(each) for each in self._questions_of(execution_id)},
                already_recorded=self._logs.get(execution_id, ()),
                has_inner=execution_id in self._with_inner,
                is_owner_gone=before is not None and before.owner != self._owner,  # there are no signs of life here
            ),
        )
        if transition.new is not None and before is None and transition.new.pipeline_id not in self._versions:
            raise PipelineNotFound(transition.new.pipeline_id)
        if transition.new is not None and before is None:
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

    async def request_cancel(self, execution_id: str) -> ExecutionStatus:
        execution_id = self._row_id(execution_id)
        requested = await self.record(
            Transition(execution_id=execution_id, writer=self._owner, ownership=RequestCancel())
        )
        for on_request in list(self._cancellations.get(execution_id, {}).values()):
            on_request()
        return requested.status

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

    @property
    def ownership(self) -> Self:
        return self

    async def claim(self, limit: int, *, unusable: Iterable[str] = ()) -> list[ClaimedExecution]:
        versions = set(unusable)
        queued = [
            record
            for record in self._executions.values()
            if record.status is ExecutionStatus.PENDING
            and record.managed
            and version_key(record.pipeline_id, record.pipeline_version) not in versions
        ]
        queued.sort(key=lambda record: (-record.priority, record.execution_id))
        for record in queued[:limit]:
            await self.record(Transition(execution_id=record.execution_id, writer=self._owner, ownership=Claim()))
        return [self._claimed(self._executions[record.execution_id]) for record in queued[:limit]]

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
        return [record.narrow(StalledExecution) for record in owned if record.status is ExecutionStatus.RUNNING]

    async def recover(self, stalled: StalledExecution, recovery: Recovery) -> bool:
        try:
            await self.record(Transition(lease=stalled.lease, writer=self._owner, ownership=recovery))
        except TrackerError:
            return False
        return True

    async def get_interactions(self, execution_id: str, *, awaited: bool = False) -> list[InteractionRecord]:
        execution_id = self._row_id(execution_id)
        steps, questions = self._steps.get(execution_id, {}), deepcopy(self._questions_of(execution_id))
        return [
            question
            for question in sorted(questions, key=lambda question: question.interaction_id)
            if not awaited or steps[question.step_execution_id].status is StepStatus.WAITING
        ]

    async def get_interaction(self, interaction_id: str) -> InteractionRecord | None:
        question = self._interactions.get(interaction_id)
        questions = [] if question is None else await self.get_interactions(question.execution_id)
        return next((each for each in questions if each.interaction_id == interaction_id), None)

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

    async def get_attempts(self, execution_id: str) -> list[AttemptRecord]:
        asked_at = {
            question.step_execution_id: question.created_at
            for question in self._questions_of(self._row_id(execution_id))
        }
        reopened = self._reopened.get(self._row_id(execution_id), 0)
        steps = await self.get_execution_steps(execution_id)
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

    def _row_id(self, id_or_alias: str) -> ExecutionId:
        """The id of the execution that a text names; nothing has it where there is none."""
        known = id_or_alias in self._executions
        return ExecutionId(id_or_alias) if known else self._aliases.get(id_or_alias, ExecutionId(id_or_alias))

    def _take_alias(self, execution_id: ExecutionId, alias: str | None) -> None:
        if alias is None:
            return
        if alias in self._aliases:
            problem = f"Execution {self._aliases[alias]!r} has the alias {alias!r}."
            raise ConstraintViolated(problem, constraint="execution_aliases_pkey")
        self._aliases[alias] = execution_id

    def _home_of(self, transition: Transition) -> ExecutionId:
        if not transition.updates:
            raise ExecutionNotFound("")
        step_execution_id = transition.updates[0].step_execution_id
        if step_execution_id not in self._home:
            raise StepExecutionNotFound(step_execution_id)
        return self._home[step_execution_id]

    def _take_key(self, new: NewExecution) -> None:
        if new.idempotency_key is None:
            return
        request = (new.pipeline_id, new.idempotency_key)
        if request in self._requests:
            problem = f"Pipeline {new.pipeline_id!r} has an execution with the idempotency key {new.idempotency_key!r}."
            raise ConstraintViolated(problem, constraint="execution_requests_pkey")
        self._requests.add(request)

    def _touched(self, transition: Transition) -> list[StepExecutionRecord]:
        items = (*transition.updates, *transition.starts, *transition.logs)
        touched = [item.step_execution_id for item in items if item.step_execution_id is not None]
        return [self._steps[self._home[id_]][id_] for id_ in touched if id_ in self._home]

    def _apply(self, transition: Transition, decision: Decision) -> None:
        state, now = decision.execution, self._now()
        if transition.new is not None:
            self._begin(transition.new, state, now)
        known = self._gone_on(self._executions[state.execution_id], transition, decision)
        change, failure = transition.change, decision.failure
        if change is not None and change.output_refs is not None:
            self._rebuilt.add(state.execution_id)
        self._executions[state.execution_id] = replace(
            known,
            status=state.status,
            run_at=known.run_at if state.status in WAITING else None,
            owner=state.owner,
            epoch=state.epoch,
            recoveries=state.recoveries,
            sequence=state.sequence,
            cancel_requested=state.cancel_requested,
            total_steps=state.total_steps,
            completed_steps=state.completed_steps,
            failed_steps=state.failed_steps,
            output_data=_decoded(change and change.output_data, known.output_data),
            error_type=(failure and failure.type) or known.error_type,
            error_message=failure.message if failure else known.error_message,
            started_at=known.started_at or (now if state.status is ExecutionStatus.RUNNING else None),
            completed_at=now if state.status.is_terminal else None,
        )
        steps = self._steps[state.execution_id]
        for start in decision.started:
            self._add_step(_started(start, state, now))
        for update in decision.updated:
            steps[update.step_execution_id] = _updated(steps[update.step_execution_id], update, state.sequence, now)
        for ask in transition.asks:
            asker = steps[ask.step_execution_id]
            execution = self._executions[state.execution_id]
            self._interactions.setdefault(ask.interaction_id, _new_interaction(ask, asker, execution, now))
            if ask.carries:
                self._carrying.add(ask.step_execution_id)
        answer = transition.answer if isinstance(transition.answer, Answer) else None
        for id_, question in decision.interactions.items():
            self._interactions[id_] = _with_state(self._interactions[id_], question, state.sequence, now, answer)
        for closing in decision.closings:
            self._close(state.execution_id, closing, state.sequence)
        for line in decision.logs:
            self._logs[state.execution_id].setdefault(
                line.log_id,
                LogRecord(
                    log_id=line.log_id,
                    execution_id=state.execution_id,
                    within=line.within,
                    step_execution_id=line.step_execution_id,
                    level=line.level,
                    message=line.message,
                    data=_decoded(line.data, None),
                    logged_at=now - timedelta(seconds=line.age_seconds),
                    sequence=state.sequence,
                ),
            )
        if decision.group is not None:
            own = self._found_group(state.execution_id, change) if change and change.finds_failed_step else None
            failed = self._executions[state.execution_id]
            self._executions[state.execution_id] = replace(failed, failure_group=(own or decision.group).id)

    def _found_group(self, execution_id: ExecutionId, change: ExecutionUpdate) -> FailureGroup | None:
        """The group of the first step whose last attempt failed; None: there is none."""
        failed = [
            step
            for step in self._steps[execution_id].values()
            if step.within == GRAPH
            and step.status is StepStatus.FAILED
            and self._latest[execution_id, GRAPH, step.step_id, step.iteration] == step.step_execution_id
        ]
        first = min(failed, key=lambda step: (step.sequence, step.step_execution_id), default=None)
        if first is None:
            return None
        is_said = first.error_message is not None
        own = Failure(type=first.error_type, message=first.error_message or "") if is_said else change.failure
        return grouped(first.step_id, own)

    def _gone_on(self, known: ExecutionRecord, transition: Transition, decision: Decision) -> ExecutionRecord:
        """What is on record of a bad end goes, where it is left behind."""
        if decision.reopened:
            known = replace(known, error_type=None, error_message=None, failure_group=None)
            self._reopened[known.execution_id] = decision.execution.sequence
        return replace(known, managed=True) if isinstance(transition.ownership, Requeue) else known

    def _begin(self, new: NewExecution, state: ExecutionState, now: datetime) -> None:
        self._executions[state.execution_id] = _created(new, state, self._names[new.pipeline_id], now)
        self._steps[state.execution_id], self._logs[state.execution_id] = {}, {}
        for copy in new.copies:
            self._copy(copy, state, now)

    def _copy(self, copy: StepCopy, state: ExecutionState, now: datetime) -> None:
        """An attempt of the execution before, with its question."""
        source = self._steps[self._home[copy.copied_from]][copy.copied_from]
        whose = {"execution_id": state.execution_id, "step_execution_id": copy.step_execution_id}
        times = {"created_at": now, "started_at": now, "completed_at": now, "sequence": state.sequence}
        self._add_step(
            replace(
                deepcopy(source),
                **whose,
                **times,
                attempt=1,
                retry_count=0,
                wake_at=None,
                routes=orjson.loads(copy.routes),
                copied_from=copy.copied_from,
            )
        )
        for question in self._questions_of(source.execution_id):
            if question.step_execution_id == copy.copied_from:
                carried = replace(question, **whose, interaction_id=copy.interaction_id, sequence=state.sequence)
                self._interactions[copy.interaction_id] = carried
        if copy.copied_from in self._carrying:
            self._carrying.add(copy.step_execution_id)

    def _add_step(self, started: StepExecutionRecord) -> None:
        execution_id, id_ = started.execution_id, started.step_execution_id
        steps = self._steps[execution_id]
        steps[id_], self._home[id_] = started, execution_id
        for iteration in (None, started.iteration):
            key = (execution_id, started.within, started.step_id, iteration)
            newest = steps[self._latest.setdefault(key, id_)]
            if (newest.iteration, newest.attempt) < (started.iteration, started.attempt):
                self._latest[key] = id_
        if started.within != GRAPH:
            self._with_inner.add(execution_id)

    def _questions_of(self, execution_id: ExecutionId) -> list[InteractionRecord]:
        return [
            replace(question, deadline_at=self._steps[execution_id][question.step_execution_id].wake_at)
            for question in self._interactions.values()
            if question.execution_id == execution_id
        ]

    def _rest(self, execution_id: ExecutionId) -> None:
        """It waits until the earliest time of its attempts, or not at all where what they wait for has come."""
        waiting = (StepStatus.WAITING, StepStatus.PENDING)
        open_steps = {id_: step for id_, step in self._steps[execution_id].items() if step.status in waiting}
        run_at = min((step.wake_at for step in open_steps.values() if step.wake_at is not None), default=None)
        is_answered = any(
            question.status == "answered" and question.step_execution_id in open_steps
            for question in self._questions_of(execution_id)
        )
        known = self._executions[execution_id]
        if is_answered or (run_at is not None and run_at <= self._now()):
            self._executions[execution_id] = replace(known, status=ExecutionStatus.PENDING, run_at=None)
        else:
            self._executions[execution_id] = replace(known, run_at=run_at)

    def _close(self, execution_id: ExecutionId, closing: Closing, sequence: int) -> None:
        """Nobody goes on with what is open."""
        steps, now, upto = self._steps[execution_id], self._now(), closing.upto(sequence)
        known = {id_: step.narrow(StepState) for id_, step in steps.items()}
        for id_, step in known.items():
            closed = closing.closed(step)
            if closed is not step and steps[id_].sequence < upto:
                update = StepUpdate(step_execution_id=id_, status=closed.status, failure=closing.failure)
                steps[id_] = _updated(steps[id_], update, sequence, now)
        for question in self._questions_of(execution_id):
            if question.sequence < upto:
                closed_question = closing.closed_question(_state_of(question), known)
                self._interactions[question.interaction_id] = _with_state(question, closed_question, sequence, now)


def _created(new: NewExecution, state: ExecutionState, registered_name: str, now: datetime) -> ExecutionRecord:
    return ExecutionRecord(
        execution_id=state.execution_id,
        alias=new.alias,
        pipeline_id=new.pipeline_id,
        pipeline_name=new.pipeline_name or registered_name,
        pipeline_version=new.pipeline_version,
        status=state.status,
        managed=new.managed,
        trigger=new.trigger,
        priority=new.priority,
        run_at=new.run_at,
        owner=state.owner,
        epoch=state.epoch,
        recoveries=0,
        sequence=state.sequence,
        cancel_requested=False,
        rerun_of=new.rerun_of,
        total_steps=state.total_steps,
        completed_steps=state.completed_steps,
        failed_steps=state.failed_steps,
        error_type=None,
        error_message=None,
        failure_group=None,
        created_at=now,
        started_at=None,
        completed_at=None,
        input_data=_decoded(new.input_data, None),
        output_data=None,
        metadata=_decoded(new.metadata, None),
        overrides=_decoded(new.overrides, None),
    )


def _new_interaction(
    ask: NewInteraction, asker: StepExecutionRecord, execution: ExecutionRecord, now: datetime
) -> InteractionRecord:
    return InteractionRecord(
        interaction_id=ask.interaction_id,
        execution_id=execution.execution_id,
        step_execution_id=ask.step_execution_id,
        step_id=asker.step_id,
        pipeline_id=execution.pipeline_id,
        pipeline_name=execution.pipeline_name,
        pipeline_version=execution.pipeline_version,
        status="pending",
        prompt=ask.prompt,
        ui_schema=_decoded(ask.ui_schema, None),
        data=_decoded(ask.data, None),
        assigned_users=_decoded(ask.assigned_users, None),
        assigned_role=ask.assigned_role,
        answers=ask.answers,
        decided_by=ask.decided_by,
        on_timeout=_decoded(ask.on_timeout, None),
        deadline_at=None,
        created_at=now,
        completed_at=None,
        actor=None,
        verified=False,
        answered_by=0,
        response=None,
        responses=(),
        sequence=execution.sequence,
    )


def _state_of(question: InteractionRecord) -> InteractionState:
    return InteractionState(
        interaction_id=question.interaction_id,
        execution_id=question.execution_id,
        step_execution_id=question.step_execution_id,
        status=question.status,
        assigned_users=question.assigned_users,
        assigned_role=question.assigned_role,
        answers=question.answers,
        decided_by=question.decided_by,
        completed_at=question.completed_at,
        responses=tuple(
            GivenAnswer(actor=each.actor, revision=each.revision, response=encode(each.response, "answer"))
            for each in question.responses
        ),
    )


def _with_state(
    question: InteractionRecord, state: InteractionState, sequence: int, now: datetime, answer: Answer | None = None
) -> InteractionRecord:
    """``answer``: the last of what it has been given, where that has just come."""
    if state == _state_of(question):
        return question
    responses = question.responses
    if answer is not None:
        response = ResponseRecord(
            actor=answer.actor,
            verified=answer.verified,
            revision=state.responses[-1].revision,
            response=_decoded(answer.response, None),
            answered_at=now,
        )
        responses = (*responses, response)
    closed = state.status != "pending"
    changed = replace(
        question,
        status=state.status,
        assigned_users=state.assigned_users,
        sequence=sequence,
        completed_at=now if closed else None,
        responses=responses,
    )
    return replace(changed, **answer_columns(state.status, state.answers, responses))


def _started(start: StepStart, state: ExecutionState, now: datetime) -> StepExecutionRecord:
    return StepExecutionRecord(
        step_execution_id=start.step_execution_id,
        execution_id=state.execution_id,
        within=start.within,
        step_id=start.step_id,
        step_name=start.step_name,
        step_type=start.step_type,
        iteration=start.iteration or 1,
        attempt=start.attempt or 1,
        retry_count=0,
        status=start.status,
        worker=start.worker,
        wake_at=_after(now, start.wake_after_seconds),
        awaits=None,
        effect=start.effect,
        routes=None,
        error_type=None,
        error_message=None,
        progress=None,
        progress_message=None,
        copied_from=None,
        input_bytes=size_bytes(start.input_data),
        output_bytes=0,
        sequence=state.sequence,
        created_at=now,
        started_at=now if start.status is StepStatus.RUNNING else None,
        completed_at=now if start.status.is_terminal else None,
        input_data=_decoded(start.input_data, None),
        input_refs=_decoded(start.input_refs, None),
        output_data=None,
        metadata=_decoded(start.metadata, None),
        traceback=None,
    )


def _updated(step: StepExecutionRecord, update: StepUpdate, sequence: int, now: datetime) -> StepExecutionRecord:
    status, failure = update.status or step.status, update.failure
    return replace(
        step,
        status=status,
        worker=update.worker or step.worker,
        sequence=sequence,
        output_data=_decoded(update.output_data, step.output_data),
        output_bytes=size_bytes(update.output_data) if update.output_data is not None else step.output_bytes,
        routes=_decoded(update.routes, step.routes),
        error_type=(failure and failure.type) or step.error_type,
        error_message=failure.message if failure else step.error_message,
        traceback=(failure and failure.traceback) or step.traceback,
        retry_count=step.retry_count if update.retry_count is None else update.retry_count,
        progress=step.progress if update.progress is None else update.progress,
        progress_message=update.progress_message or step.progress_message,
        wake_at=_after(now, update.wake_after_seconds) or step.wake_at,
        awaits=update.awaits or step.awaits,
        started_at=step.started_at or (now if status is StepStatus.RUNNING else None),
        completed_at=now if status.is_terminal else None,
    )


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


def _decoded(text: JsonText | None, otherwise: Json) -> Json:
    """A fresh copy of what a text says; ``otherwise`` where there is none."""
    return otherwise if text is None else orjson.loads(text)
