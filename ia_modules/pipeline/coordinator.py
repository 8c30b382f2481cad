"""One running execution: what ended is written together with what starts because of it, in one transition.

    attempts that ended → decide (pure) → one transition → attempts that start

An execution has one coordinator. Its decisions never depend on which attempt ended first. A first run and a resumed one
are the same code: they differ in the records that are there when it begins.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ia_modules.errors import (
    PASSING_DATABASE_ERRORS,
    DatabaseError,
    IAModulesError,
    PipelineOutputError,
    Problem,
    StepError,
    TrackerError,
)
from ia_modules.models import (
    ExecutionStatus,
    InteractionRecord,
    Lease,
    LogLevel,
    StepExecutionId,
    StepStatus,
    new_id,
)
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.answers import answer_outcome, new_interaction
from ia_modules.pipeline.attempt import Outcome, Work, call_functions, make_attempt, placed, prepare
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import StepContext
from ia_modules.pipeline.document.scope import Scope
from ia_modules.pipeline.executor import StepExecutor
from ia_modules.pipeline.inputs import input_problems
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.notes import Notes
from ia_modules.pipeline.recorded import (
    STOP_JSON,
    RecordedRun,
    loop_seconds,
    refs_json,
    retry_json,
    routes_json,
    state_of,
)
from ia_modules.pipeline.results import Scopes, output_of, stored_output
from ia_modules.pipeline.routing import route
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.tokens import Start, StepRun, StepRunKey, loop_limit, ready, verdict
from ia_modules.tasks import uninterrupted
from ia_modules.transitions import (
    PROCESS_LOST,
    ExecutionUpdate,
    Failure,
    LogLine,
    NewInteraction,
    Recorded,
    StepStart,
    StepUpdate,
    Transition,
)


@dataclass(slots=True)
class _Attempts:
    """The attempts of a step run so far. ``failures`` leaves out those that were lost with their process."""

    made: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Due:
    """An attempt that is on record and whose delay is over."""

    key: StepRunKey
    start: StepStart
    work: Work


@dataclass(frozen=True, slots=True)
class _Ended:
    """An attempt that is over. ``scope``: what was known before it; ``outcome`` None: it was stopped."""

    key: StepRunKey
    attempt: StepExecutionId
    scope: Scope
    notes: Notes
    outcome: Outcome | None


@dataclass(slots=True)
class _Batch:
    """What becomes true at once, and the attempts that begin when it is on record."""

    updates: list[StepUpdate] = field(default_factory=list[StepUpdate])
    starts: list[StepStart] = field(default_factory=list[StepStart])
    logs: list[LogLine] = field(default_factory=list[LogLine])
    asks: list[NewInteraction] = field(default_factory=list[NewInteraction])
    expires: list[str] = field(default_factory=list[str])
    launches: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])


class Coordinator:
    """Runs one execution to its end, or until it only waits for people.

    Attributes:
        error: why it failed; None unless it did so here.
    """

    def __init__(
        self,
        pipeline: LoadedPipeline,
        journal: Journal,
        lease: Lease,
        input_data: Mapping[str, Any],
        *,
        services: ServiceRegistry,
        executor: StepExecutor,
        draw: Callable[[], float],
        runs: Iterable[RecordedRun] = (),
        managed: bool = False,
    ) -> None:
        """Take up an execution.

        Args:
            input_data: its input, with the defaults of the parameters.
            draw: uniform in [0, 1), for the delays of retries.
            runs: its recorded step runs, when it is resumed.
            managed: a worker runs it. When its task is cancelled, the execution goes back into the queue.
        """
        self.error: Exception | None = None
        self._pipeline, self._journal, self._lease, self._input_data = pipeline, journal, lease, input_data
        self._services, self._executor, self._draw = services, executor, draw
        self._managed = managed
        self._runs = list(runs)
        self._state = state_of(pipeline.graph, self._runs)
        self._results = {run.run.key: result for run in self._runs if (result := run.result) is not None}
        self._scopes = Scopes(self._state, input_data, self._results)
        self._attempts = {run.run.key: _Attempts(run.attempts, run.failures) for run in self._runs}
        self._loop_began: dict[str, float] = {}
        self._tasks: set[asyncio.Task[_Due | _Ended]] = set()

    async def to_end(self) -> ExecutionStatus:
        """Run until nothing more can run here; returns the status that is on record then.

        Raises:
            LeaseLost: another process has claimed the execution. Its steps were stopped here; nothing more was written.
            asyncio.CancelledError: this task was cancelled. The execution is cancelled on record; a managed one is
                pending.
        """
        cancelled = ExecutionUpdate(status=ExecutionStatus.CANCELLED)
        cancellation = asyncio.create_task(self._journal.cancellation(self._lease.execution_id))
        try:
            questions: list[InteractionRecord] = []
            if self._runs:
                questions = await self._journal.get_interactions(self._lease.execution_id)
            status = await self._advance([], lambda batch: self._resume(batch, questions))
            while status is ExecutionStatus.RUNNING:
                done, _ = await asyncio.wait([*self._tasks, cancellation], return_when=asyncio.FIRST_COMPLETED)
                if cancellation in done:
                    cancellation.result()
                    await uninterrupted(self._end(cancelled), "cancel")
                    return ExecutionStatus.CANCELLED
                status = await self._advance([self._taken(task) for task in list(self._tasks) if task in done])
        except asyncio.CancelledError as interrupted:
            ending = self._hand_back() if self._managed else self._end(cancelled)
            await record_before(interrupted, ending)
            raise
        except (TrackerError, DatabaseError):
            raise  # nothing more can be written: the records stay as they are, and may be resumed
        except Exception as error:
            failed = ExecutionUpdate(status=ExecutionStatus.FAILED, failure=Failure.of(error))
            await uninterrupted(self._end(failed), "fail")
            raise
        finally:
            cancellation.cancel()
            await self._stop()
        return status

    # What ended → what is recorded

    async def _advance(
        self, events: Iterable[_Due | _Ended], first: Callable[[_Batch], None] | None = None
    ) -> ExecutionStatus:
        batch = _Batch()
        if first is not None:
            first(batch)
        for event in events:
            self._take_in(event, batch)
        if self._state.stopped():
            await self._stop_siblings(batch)
        else:
            for start in ready(self._state):
                self._begin_run(start, batch)
        status = verdict(self._state)
        change = self._change(status, batch)
        recorded = await self._write(batch, change)
        for launch in batch.launches:
            launch()
        return status if change is None or recorded is None else recorded.status

    def _take_in(self, event: _Due | _Ended, batch: _Batch) -> None:
        if isinstance(event, _Due):
            attempt = event.start.step_execution_id
            batch.updates.append(StepUpdate(step_execution_id=attempt, status=StepStatus.RUNNING))
            batch.launches.append(lambda: self._launch(event.key, event.start, event.work))
            self._note(event.key, StepStatus.RUNNING)
            return
        lines, progress = event.notes.end()
        batch.logs += lines
        update = self._update_for(event, batch)
        if progress is not None:
            update = replace(update, progress=progress.progress, progress_message=progress.progress_message)
        batch.updates.append(update)

    def _update_for(self, ended: _Ended, batch: _Batch) -> StepUpdate:
        """The update to write for an attempt that has ended; the state has it from here on."""
        key, outcome, update = ended.key, ended.outcome, StepUpdate(step_execution_id=ended.attempt)
        if outcome is None:
            self._note(key, StepStatus.CANCELLED)
            return replace(update, status=StepStatus.CANCELLED, routes=encode(STOP_JSON, "routes"), failure=_STOPPED)
        failure = None if outcome.error is None else Failure.of(outcome.error)
        if outcome.retry_seconds is not None:
            self._attempts[key].failures += 1
            self._begin_attempt(key, batch, delay_seconds=outcome.retry_seconds)
            retry = encode(retry_json(outcome.retry_seconds), "routes")
            return replace(update, status=StepStatus.FAILED, routes=retry, failure=failure)
        if outcome.result is None:
            self._note(key, StepStatus.FAILED)
            self.error = self.error or _step_error(key.step_id, outcome.error)
            return replace(update, status=StepStatus.FAILED, routes=encode(STOP_JSON, "routes"), failure=failure)
        if outcome.question is not None:
            self._note(key, StepStatus.WAITING)
            batch.asks.append(new_interaction(outcome.question, ended.attempt, outcome.result))
            return replace(update, status=StepStatus.WAITING, output_data=outcome.stored, failure=failure)
        status = StepStatus.COMPLETED if outcome.succeeded else StepStatus.FAILED
        batch.logs += _warnings("Result that its schema refuses", outcome.mismatches, ended.attempt)
        scope = ended.scope.after(key.step_id, outcome.result, succeeded=outcome.succeeded)
        routes = outcome.routes or route(self._pipeline.graph, key.step_id, scope, outcome.verdicts.__getitem__)
        self._results[key] = outcome.result
        self._state.record(replace(self._state.runs[key], status=status, routes=routes))
        stored_routes = encode(routes_json(routes), "routes")
        return replace(update, status=status, output_data=outcome.stored, routes=stored_routes, failure=failure)

    def _note(self, key: StepRunKey, status: StepStatus) -> None:
        self._state.record(replace(self._state.runs[key], status=status))

    def _change(self, status: ExecutionStatus, batch: _Batch) -> ExecutionUpdate | None:
        """The update of the execution itself; None while it goes on."""
        match status:
            case ExecutionStatus.COMPLETED:
                try:
                    output, mismatches = output_of(self._state, self._input_data, self._results)
                    batch.logs += _warnings("Output that its schema refuses", mismatches)
                    stored = stored_output(self._pipeline.definition, output)
                    return ExecutionUpdate(status=status, output_data=stored)
                except PipelineOutputError as error:
                    self.error = error
                    return ExecutionUpdate(status=ExecutionStatus.FAILED, failure=Failure.of(error))
            case ExecutionStatus.FAILED:
                failure = Failure.of(self.error) if self.error else self._recorded_failure()
                return ExecutionUpdate(status=status, failure=replace(failure, traceback=None))
            case ExecutionStatus.CANCELLED | ExecutionStatus.WAITING_FOR_HUMAN:
                return ExecutionUpdate(status=status)
            case _:
                return None

    def _recorded_failure(self) -> Failure:
        """Why it failed, where that happened in another process: the first failure on record."""
        failed = (run.last for run in self._runs if run.last.status is StepStatus.FAILED and run.run.has_stopped)
        first = min(failed, key=lambda attempt: attempt.sequence, default=None)
        if first is None:
            return Failure(type=None, message="A step failed.")
        self.error = StepError(first.step_id, f"{first.error_type}: {first.error_message}")
        return Failure.of(self.error)

    async def _write(self, batch: _Batch, change: ExecutionUpdate | None) -> Recorded | None:
        if not (batch.updates or batch.starts or batch.logs or batch.asks or batch.expires or change):
            return None
        return await self._journal.record(
            Transition(
                lease=self._lease,
                writer=self._journal.owner,
                updates=tuple(batch.updates),
                starts=tuple(batch.starts),
                logs=tuple(batch.logs),
                asks=tuple(batch.asks),
                expires=tuple(batch.expires),
                change=change,
            )
        )

    # What starts

    def _resume(self, batch: _Batch, questions: Sequence[InteractionRecord]) -> None:
        """Continue from the records: another process's open attempts are lost and made again; answers are taken."""
        if not self._runs:
            batch.logs += _warnings("Warning", self._pipeline.warnings)
            if self._pipeline.definition.is_lenient:
                problems = input_problems(self._pipeline.definition, dict(self._input_data))
                batch.logs += _warnings("Input that its schema refuses", problems)
        questions_of = {question.step_execution_id: question for question in questions}
        now = asyncio.get_running_loop().time()
        seconds = loop_seconds(self._runs, questions)
        self._loop_began = {step_id: now - passed for step_id, passed in seconds.items()}
        for run in self._runs:
            if not run.run.is_active:
                continue
            if run.is_waiting:
                self._take_answer(run, questions_of.get(run.last.step_execution_id), batch)
                continue
            if not run.last.status.is_terminal:
                attempt = run.last.step_execution_id
                lost = StepUpdate(step_execution_id=attempt, status=StepStatus.LOST, failure=PROCESS_LOST)
                batch.updates.append(lost)
            self._begin_attempt(run.run.key, batch, delay_seconds=run.retry_delay_seconds)

    def _take_answer(self, run: RecordedRun, question: InteractionRecord | None, batch: _Batch) -> None:
        """Continue after a question that was answered or whose deadline has passed; an open one still waits."""
        key, attempt = run.run.key, run.last.step_execution_id
        outcome = question and answer_outcome(run, question, self._pipeline.graph)
        if question is None or outcome is None:
            return
        if question.status != "answered":
            batch.expires.append(question.interaction_id)
        scope = self._scopes.before(run.run.parents)

        async def go_on() -> _Due | _Ended:
            is_routed = outcome.result is None or outcome.routes is not None
            final = (
                outcome
                if is_routed
                else await call_functions(outcome, key.step_id, scope, self._pipeline, self._executor)
            )
            return _Ended(key, attempt, scope, Notes(attempt, self._write_notes), final)

        self._note(key, StepStatus.RUNNING)
        batch.launches.append(lambda: self._tasks.add(asyncio.create_task(go_on(), name=f"answer:{key.step_id}")))

    def _begin_run(self, start: Start, batch: _Batch) -> None:
        loop_config = self._pipeline.definition.loop_config
        now = asyncio.get_running_loop().time()
        seconds = now - self._loop_began.setdefault(start.key.step_id, now)
        refused = loop_limit(loop_config, start, loop_seconds=seconds)
        self._state.record(StepRun(start.key, StepStatus.PENDING, start.parents))
        delay_seconds = loop_config.iteration_delay_seconds if start.closes_loop and refused is None else 0.0
        self._begin_attempt(start.key, batch, refused=refused, delay_seconds=delay_seconds)

    def _begin_attempt(
        self, key: StepRunKey, batch: _Batch, *, refused: StepError | None = None, delay_seconds: float = 0.0
    ) -> None:
        """Put the next attempt of a step run on record; it begins when that is done, or after a delay."""
        run, definition = self._state.runs[key], self._pipeline.step(key.step_id)
        attempts = self._attempts.setdefault(key, _Attempts())
        attempts.made += 1
        scope = self._scopes.before(run.parents)
        work = prepare(self._pipeline, definition, scope, failures=attempts.failures, refused=refused)
        attempt = StepExecutionId(new_id())
        left_out = (f"Input left out: {problem}" for problem in work.input.left_out)
        batch.logs += [LogLine(log_id=new_id(), message=message, step_execution_id=attempt) for message in left_out]
        batch.logs += _warnings("Input that its schema refuses", work.input.mismatches, attempt)
        start = StepStart(
            step_execution_id=attempt,
            step_id=key.step_id,
            step_name=definition.name,
            step_type=definition.type,
            iteration=key.iteration,
            attempt=attempts.made,
            status=StepStatus.PENDING if delay_seconds > 0 else StepStatus.RUNNING,
            worker=self._journal.owner,
            input_data=work.stored,
            input_refs=encode(refs_json(run.parents, is_state=work.input.is_state), "parents"),
        )
        batch.starts.append(start)
        self._note(key, start.status)
        if delay_seconds <= 0:
            batch.launches.append(lambda: self._launch(key, start, work))
            return

        async def wait() -> _Due | _Ended:
            await asyncio.sleep(delay_seconds)
            return _Due(key, start, work)

        batch.launches.append(lambda: self._tasks.add(asyncio.create_task(wait(), name=f"delay:{key.step_id}")))

    def _launch(self, key: StepRunKey, start: StepStart, work: Work) -> None:
        notes = Notes(start.step_execution_id, self._write_notes)
        context = StepContext(
            execution_id=self._lease.execution_id,
            step_id=key.step_id,
            step_execution_id=start.step_execution_id,
            iteration=key.iteration,
            attempt=start.attempt or 1,
            keep_line=notes.keep_line,
            keep_progress=notes.keep_progress,
        )
        work = placed(work, context, self._services)

        async def attempt() -> _Due | _Ended:
            try:
                outcome = await make_attempt(work, self._pipeline, self._executor, draw=self._draw())
            except asyncio.CancelledError:
                outcome = None  # this task is ours, and only we cancel it: that is how it ended
            return _Ended(key, start.step_execution_id, work.scope, notes, outcome)

        self._tasks.add(asyncio.create_task(attempt(), name=f"attempt:{key.step_id}#{key.iteration}"))

    async def _write_notes(self, lines: tuple[LogLine, ...], updates: tuple[StepUpdate, ...]) -> bool:
        transition = Transition(
            lease=self._lease,
            writer=self._journal.owner,
            updates=updates,
            logs=lines,
        )
        try:
            await self._journal.record(transition)
        except TrackerError:
            return True  # ended, or another process's: the coordinator's own next write finds out
        except PASSING_DATABASE_ERRORS:
            return False
        return True

    # What is stopped

    def _taken(self, task: asyncio.Task[_Due | _Ended]) -> _Due | _Ended:
        self._tasks.discard(task)
        return task.result()

    async def _stop(self) -> list[_Due | _Ended]:
        """Cancel every attempt and every delay, and wait until they have stopped; returns what ended before that."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return [task.result() for task in tasks if not task.cancelled()]

    async def _stop_siblings(self, batch: _Batch) -> None:
        """Stop what still runs, since the execution ends; adds that to the batch, and takes out what was to start."""
        batch.launches.clear()
        batch.starts.clear()
        for event in await self._stop():
            if isinstance(event, _Ended):
                outcome = event.outcome
                if outcome is not None and (outcome.retry_seconds is not None or outcome.question is not None):
                    event = replace(event, outcome=None)
                self._take_in(event, batch)
        for run in self._state.active():
            self._note(run.key, StepStatus.CANCELLED)

    async def _end(self, change: ExecutionUpdate) -> None:
        """Stop everything and write how the execution ended."""
        batch = _Batch()
        await self._stop_siblings(batch)
        await self._write(batch, change)

    async def _hand_back(self) -> None:
        """Stop everything and put the execution back into the queue; attempts that had ended are written."""
        batch = _Batch()
        for event in await self._stop():
            if isinstance(event, _Ended) and event.outcome is not None:
                self._take_in(event, batch)
            elif isinstance(event, _Ended):
                lines, _ = event.notes.end()
                batch.logs += lines
                batch.updates.append(
                    StepUpdate(step_execution_id=event.attempt, status=StepStatus.LOST, failure=_HANDED_BACK)
                )
        batch.starts.clear()  # the next owner begins them
        await self._write(batch, ExecutionUpdate(status=ExecutionStatus.PENDING, released=True))


async def record_before(interrupted: asyncio.CancelledError, ending: Coroutine[None, None, object]) -> None:
    """Record how an execution ends before the cancellation of its task goes on; a failure becomes a note of it."""
    try:
        await uninterrupted(ending, "end")
    except (TrackerError, DatabaseError) as error:
        interrupted.add_note(f"The end of the execution could not be recorded: {error}")


def _warnings(what: str, problems: Iterable[Problem], attempt: StepExecutionId | None = None) -> list[LogLine]:
    """Lines for what is wrong and keeps nothing from running; ``attempt`` None: of the execution itself."""
    return [
        LogLine(
            log_id=new_id(), message=clean_text(f"{what}: {each}"), level=LogLevel.WARNING, step_execution_id=attempt
        )
        for each in problems
    ]


_STOPPED = Failure(type="CancelledError", message="The step was stopped with its execution.")
_HANDED_BACK = Failure(type="WorkerStopped", message="The worker that ran this attempt was stopped; another goes on.")


def _step_error(step_id: str, error: Exception | None) -> Exception:
    """The error that names the step; the step's own exception is its cause, be it the failure of another pipeline."""
    if isinstance(error, StepError) and error.step_id == step_id:
        return error
    failed = StepError(
        step_id, f"{type(error).__name__}: {clean_text(error)}" if not isinstance(error, IAModulesError) else str(error)
    )
    failed.__cause__ = error
    return failed
