"""The rows that a journal in memory keeps, and how they change as it was decided."""

import asyncio
from collections.abc import Callable, Container, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from ia_modules.closing import Closing
from ia_modules.deciding import Decision, grouped
from ia_modules.errors import AlreadyRepeated, ConstraintViolated, ExecutionNotFound, StepExecutionNotFound
from ia_modules.failure_groups import FailureGroup
from ia_modules.models import (
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    InteractionRecord,
    LogLevel,
    LogRecord,
    PipelineId,
    PipelineVersionRecord,
    RunPath,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
)
from ia_modules.paths import GRAPH
from ia_modules.pipeline.memory_journal.rows import (
    NO_USAGE,
    created_execution,
    decoded,
    new_interaction,
    started_step,
    state_of,
    updated_step,
    with_more_spent,
    with_state,
)
from ia_modules.states import WAITING, ExecutionState, StepState
from ia_modules.transitions import (
    Answer,
    Assignment,
    ExecutionUpdate,
    Failure,
    NewExecution,
    Requeue,
    StepCopy,
    StepUpdate,
    Transition,
)


class MemoryRecords:
    """The rows, and what a decision makes of them."""

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

    def _refuse_repeated(self, new: NewExecution) -> None:
        if new.rerun_of is None or not new.unless_repeated:
            return
        repeats, newest = {new.rerun_of}, None
        for record in self._executions.values():
            if record.rerun_of in repeats:
                repeats.add(record.execution_id)
                is_over = record.status in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
                newest = newest if is_over else record
        if newest is not None:
            raise AlreadyRepeated(new.rerun_of, rerun_id=newest.execution_id, status=newest.status)

    def _take_key(self, new: NewExecution) -> None:
        if new.idempotency_key is None:
            return
        request = (new.pipeline_id, new.idempotency_key)
        if request in self._requests:
            problem = f"Pipeline {new.pipeline_id!r} has an execution with the idempotency key {new.idempotency_key!r}."
            raise ConstraintViolated(problem, constraint="execution_requests_pkey")
        self._requests.add(request)

    def _touched(self, transition: Transition) -> list[StepExecutionRecord]:
        items = (*transition.updates, *transition.starts, *transition.copies, *transition.logs)
        touched = [item.step_execution_id for item in items if item.step_execution_id is not None]
        return [self._steps[self._home[id_]][id_] for id_ in touched if id_ in self._home]

    def _apply(self, transition: Transition, decision: Decision) -> None:
        state, now = decision.execution, self._now()
        began = ended = now
        if transition.new is not None:
            began = now - timedelta(seconds=transition.new.age_seconds)
            self._begin(transition.new, state, began)
        known = self._gone_on(self._executions[state.execution_id], transition, decision)
        change, failure = transition.change, decision.failure
        if change is not None and change.output_refs is not None:
            self._rebuilt.add(state.execution_id)
        if change is not None:
            ended = now - timedelta(seconds=change.age_seconds)
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
            output_data=decoded(change and change.output_data, known.output_data),
            metadata=decoded(change and change.metadata, known.metadata),
            error_type=(failure and failure.type) or known.error_type,
            error_message=failure.message if failure else known.error_message,
            started_at=known.started_at or (began if state.status is ExecutionStatus.RUNNING else None),
            completed_at=ended if state.status.is_terminal else None,
        )
        if decision.spent is not None:
            own = self._executions[state.execution_id]
            self._executions[state.execution_id] = with_more_spent(own, decision.spent)
        steps = self._steps[state.execution_id]
        self._copy(decision.copied, state, began)
        for start in decision.started:
            self._add_step(started_step(start, state, now))
        for update in decision.updated:
            steps[update.step_execution_id] = updated_step(steps[update.step_execution_id], update, state.sequence, now)
        for ask in transition.asks:
            asker = steps[ask.step_execution_id]
            execution = self._executions[state.execution_id]
            self._interactions.setdefault(ask.interaction_id, new_interaction(ask, asker, execution, now))
            if ask.carries:
                self._carrying.add(ask.step_execution_id)
        answer = transition.answer if isinstance(transition.answer, Answer) else None
        for id_, question in decision.interactions.items():
            self._interactions[id_] = with_state(self._interactions[id_], question, state.sequence, now, answer)
        for closing in decision.closings:
            self._close(state.execution_id, closing, state.sequence)
        self._write_lines(decision, now)
        if decision.group is not None:
            own = self._found_group(state.execution_id, change) if change and change.finds_failed_step else None
            failed, group = self._executions[state.execution_id], own or decision.group
            self._executions[state.execution_id] = replace(
                failed, failure_group=group.id, failed_step=group.step_id or None
            )

    def _write_lines(self, decision: Decision, now: datetime) -> None:
        """The lines, without those of level ``output`` that are not to be kept any more."""
        execution_id, sequence = decision.execution.execution_id, decision.execution.sequence
        lines = self._logs[execution_id]
        if decision.dropped:
            for line in [each for each in lines.values() if each.level is LogLevel.OUTPUT]:
                if line.step_execution_id in decision.dropped:
                    del lines[line.log_id]
        for line in decision.logs:
            lines.setdefault(
                line.log_id,
                LogRecord(
                    log_id=line.log_id,
                    execution_id=execution_id,
                    within=line.within,
                    step_execution_id=line.step_execution_id,
                    level=line.level,
                    logger=line.logger,
                    message=line.message,
                    data=decoded(line.data, None),
                    logged_at=now - timedelta(seconds=line.age_seconds),
                    sequence=sequence,
                ),
            )

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
            known = replace(known, error_type=None, error_message=None, failure_group=None, failed_step=None)
            self._reopened[known.execution_id] = decision.execution.sequence
        return replace(known, managed=True) if isinstance(transition.ownership, Requeue) else known

    def _begin(self, new: NewExecution, state: ExecutionState, now: datetime) -> None:
        self._executions[state.execution_id] = created_execution(new, state, self._names[new.pipeline_id], now)
        self._steps[state.execution_id], self._logs[state.execution_id] = {}, {}

    def _copy(self, copies: Sequence[StepCopy], state: ExecutionState, now: datetime) -> None:
        """Attempts of the execution before, each with its question."""
        if not copies:
            return
        times = {"created_at": now, "started_at": now, "completed_at": now, "sequence": state.sequence}
        for copy in copies:
            source = self._steps[self._home[copy.copied_from]][copy.copied_from]
            self._add_step(
                replace(
                    deepcopy(source),
                    **times,
                    **NO_USAGE,
                    execution_id=state.execution_id,
                    step_execution_id=copy.step_execution_id,
                    iteration=copy.iteration or source.iteration,
                    attempt=1,
                    retry_count=0,
                    wake_at=None,
                    place=None,
                    routes=decoded(copy.routes, None),
                    copied_from=copy.copied_from,
                )
            )
            if copy.copied_from in self._carrying:
                self._carrying.add(copy.step_execution_id)
        copied = {copy.copied_from: copy for copy in copies}
        for question in [each for each in self._interactions.values() if each.step_execution_id in copied]:
            copy = copied[question.step_execution_id]
            self._interactions[copy.interaction_id] = replace(
                question,
                execution_id=state.execution_id,
                step_execution_id=copy.step_execution_id,
                interaction_id=copy.interaction_id,
                sequence=state.sequence,
            )

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
        known = self._executions[execution_id]
        if self._has_answer(execution_id, open_steps) or (run_at is not None and run_at <= self._now()):
            self._executions[execution_id] = replace(known, status=ExecutionStatus.PENDING, run_at=None)
        else:
            self._executions[execution_id] = replace(known, run_at=run_at)

    def _has_answer(self, execution_id: ExecutionId, open_steps: Container[StepExecutionId]) -> bool:
        """Whether an answer has come to one of these attempts; within a run: to all that are waited for there."""
        questions = [each for each in self._questions_of(execution_id) if each.step_execution_id in open_steps]
        within = {each.interaction_id: self._steps[execution_id][each.step_execution_id].within for each in questions}
        open_in = {within[each.interaction_id] for each in questions if each.status == "pending"} - {GRAPH}
        return any(each.status == "answered" and within[each.interaction_id] not in open_in for each in questions)

    def _others_open(self, answer: Answer | Assignment | None) -> tuple[str, ...]:
        """As ``Known.others_open``."""
        question = None if answer is None else self._interactions.get(answer.interaction_id)
        if question is None:
            return ()
        steps = self._steps[question.execution_id]
        within = steps[question.step_execution_id].within
        beside = (
            each
            for each in self._interactions.values()
            if each.execution_id == question.execution_id and each.status == "pending" and each is not question
        )
        is_open = within != GRAPH and any(steps[each.step_execution_id].within == within for each in beside)
        return (question.interaction_id,) if is_open else ()

    def _close(self, execution_id: ExecutionId, closing: Closing, sequence: int) -> None:
        """Nobody goes on with what is open."""
        steps, now, upto = self._steps[execution_id], self._now(), closing.upto(sequence)
        known = {id_: step.narrow(StepState) for id_, step in steps.items()}
        for id_, step in known.items():
            closed = closing.closed(step)
            if closed is not step and steps[id_].sequence < upto:
                update = StepUpdate(step_execution_id=id_, status=closed.status, failure=closing.failure)
                steps[id_] = updated_step(steps[id_], update, sequence, now)
        for question in self._questions_of(execution_id):
            if question.sequence < upto:
                closed_question = closing.closed_question(state_of(question), known)
                self._interactions[question.interaction_id] = with_state(question, closed_question, sequence, now)
