"""One running execution: what ended is written together with what starts because of it, in one transition.

    what happened → graph turn, waits turn (pure) → one transition → attempts that begin

An execution has one coordinator, which decides nothing and carries everything out. What is decided never depends on
which attempt ended first. A first run and a resumed one are the same code: they differ in the records that are there
when it begins.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from ia_modules.errors import DatabaseError, TrackerError
from ia_modules.models import ExecutionId, ExecutionStatus, JsonText, Lease, StepExecutionId
from ia_modules.paths import GRAPH, path_of
from ia_modules.pipeline.attempt import call_functions, make_attempt, placed
from ia_modules.pipeline.capture import Capture, CaptureRules
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import StepContext
from ia_modules.pipeline.desk import AttemptDesk
from ia_modules.pipeline.executor import StepExecutor
from ia_modules.pipeline.graph_turn import (
    change_of,
    first_turn,
    graph_turn,
    handed_back_turn,
    planned_turn,
    stopped_turn,
)
from ia_modules.pipeline.inner import InnerLevel, InnerRecorder
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.mapped import MapRules, make_map
from ia_modules.pipeline.notes import Notes
from ia_modules.pipeline.overrides import Override
from ia_modules.pipeline.recorded import LINGER_SECONDS, RecordedRun
from ia_modules.pipeline.results import run_result
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.tokens import StepRunKey, verdict
from ia_modules.pipeline.turn import Answered, Attempt, Batch, Course, Due, Ended, MapWaits, Paused
from ia_modules.pipeline.waiting import begun, paused_turn, rest_of, resumed_turn, waits_turn
from ia_modules.place import run_by_pipeline
from ia_modules.tasks import uninterrupted
from ia_modules.traces.running import run_trace
from ia_modules.transitions import (
    ExecutionUpdate,
    Failure,
    NewExecution,
    Recorded,
    StepStart,
    Transition,
)


class Repeats(NamedTuple):
    """What an execution repeats, and what stands in the place of single step runs of it."""

    rerun_of: ExecutionId | None
    overrides: Mapping[StepRunKey, Override]


Event = Due | Ended | Paused
"""What can happen to an attempt."""


class _Ongoing(NamedTuple):
    """What goes on.

    Attributes:
        left: what has happened where it does not stop, and is left alone; None: nothing.
    """

    task: "asyncio.Task[Event]"
    left: Callable[[], Ended] | None


class Coordinator:
    """Runs one execution to its end, or until it only waits."""

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
        capture: CaptureRules,
        runs: Iterable[RecordedRun] = (),
        managed: bool = False,
        new: NewExecution | None = None,
        repeats: Repeats | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Take up an execution.

        Args:
            input_data: its input, with the defaults of the parameters.
            draw: uniform in [0, 1), for the delays of retries.
            capture: what goes on record of the steps' own logging and printing.
            runs: its recorded step runs, when it is resumed.
            managed: a worker runs it. When its task is cancelled, the execution goes back into the queue.
            new: the execution is not on record yet; it begins with its first steps.
            repeats: which execution it repeats, and with which changes; None: none.
            traceparent: what it was begun in, as it is on record; None: nothing.

        Raises:
            StepConflict: the step runs do not follow from this definition.
        """
        self._rerun_of, overrides = repeats or (None, None)
        self._course = Course(pipeline, input_data, runs, execution_id=lease.execution_id, overrides=overrides)
        self._pipeline, self._journal, self._lease = pipeline, journal, lease
        self._services, self._executor, self._draw = services, executor, draw
        self._loop = asyncio.get_running_loop()
        trace = run_trace(journal.traces, lease.execution_id, traceparent)
        self._inner = InnerRecorder(journal, lease, executor, draw, self._loop, capture, trace)
        self._managed, self._new, self._capture = managed, new, capture
        self._linger_seconds = LINGER_SECONDS if managed else math.inf  # nobody else would go on with it
        self.is_on_record = new is None
        self._ongoing: dict[StepExecutionId, _Ongoing] = {}
        self._over: list[StepExecutionId] = []
        self._is_to_end = False
        self._clock = self._loop.time
        self._look: asyncio.Future[None] = self._loop.create_future()

    @property
    def error(self) -> Exception | None:
        """Why it failed; None unless it did so here."""
        return self._course.error

    def result(self, input_data: JsonText) -> dict[str, Any] | None:
        """The result of an execution that has completed, as its records give it; None where not all happened here.

        Args:
            input_data: of the execution, as it is stored.
        """
        course = self._course
        if course.output is None or course.runs:
            return None
        completed = course.in_order_of_completion()
        return run_result(
            self._lease.execution_id,
            ExecutionStatus.COMPLETED,
            input_data=orjson.loads(input_data),
            steps=((each.key.step_id, orjson.loads(each.result), each.status) for each in completed),
            output=orjson.loads(course.output),
        )

    async def to_end(self) -> ExecutionStatus:
        """Run until nothing more can run here; returns the status that is on record then.

        Raises:
            PipelineNotFound, ConstraintViolated: it could not begin (``is_on_record``).
            LeaseLost: another process has claimed the execution. Its steps were stopped here; nothing more was written.
            asyncio.CancelledError: this task was cancelled. The execution is cancelled on record; a managed one is
                pending.
        """
        cancelled = ExecutionUpdate(status=ExecutionStatus.CANCELLED)
        end_watch = self._journal.watch_cancellation(self._lease.execution_id, self._is_cancelled)
        with run_by_pipeline(self._lease.execution_id, self._journal):
            try:
                status = await self._turn(await self._taken_up())
                while status is ExecutionStatus.RUNNING:
                    if self._course.tokens.busy or self._rest(LINGER_SECONDS) is None:
                        await self._something_happens()
                    else:
                        began = self._clock()
                        await self._something_happens()
                        self._course.leave_out(self._clock() - began)
                    if self._is_to_end:
                        await uninterrupted(self._end(cancelled), "cancel")
                        return ExecutionStatus.CANCELLED
                    status = await self._turn(None, self._taken())
            except asyncio.CancelledError as interrupted:
                ending = self._hand_back() if self._managed else self._end(cancelled)
                await record_before(interrupted, ending)
                raise
            except (TrackerError, DatabaseError):
                self._inner.leaves = True
                raise  # nothing more can be written: the records stay as they are, and may be resumed
            except Exception as error:
                failed = ExecutionUpdate(status=ExecutionStatus.FAILED, failure=Failure.of(error))
                await uninterrupted(self._end(failed), "fail")
                raise
            finally:
                end_watch()
                await self._stop()
        return status

    # What happens

    def _is_cancelled(self) -> None:
        self._is_to_end = True
        self._look_again()

    async def _something_happens(self) -> None:
        """Wait until an attempt or a delay is over, or the execution is to be cancelled."""
        if not (self._over or self._is_to_end):
            self._look = self._loop.create_future()
            await self._look

    def _look_again(self) -> None:
        if not self._look.done():
            self._look.set_result(None)

    def _let_happen(
        self,
        attempt: StepExecutionId,
        work: Coroutine[Any, Any, Event],
        name: str,
        left: Callable[[], Ended] | None = None,
    ) -> None:
        """Begin ``work``, which says itself that it is over."""
        self._ongoing[attempt] = _Ongoing(self._loop.create_task(work, name=name), left)

    def _has_happened(self, attempt: StepExecutionId) -> None:
        if attempt in self._ongoing:  # or it is stopped, and looked after there
            self._over.append(attempt)
            self._look_again()

    def _taken(self) -> list[Event]:
        over, self._over = self._over, []
        return [self._ongoing.pop(attempt).task.result() for attempt in over]

    # What happened → what is recorded

    async def _taken_up(self) -> Batch:
        course, now = self._course, self._clock()
        if not course.runs:
            batch = first_turn(course)
        else:
            questions = await self._journal.get_interactions(self._lease.execution_id, awaited=True)
            recorded_now = await self._journal.now()
            batch = resumed_turn(course, questions, recorded_now=recorded_now, now=now)
        return batch.joined(planned_turn(course, now=now)) if course.overrides else batch

    def _rest(self, linger_seconds: float) -> ExecutionUpdate | None:
        return rest_of(self._course, now=self._clock(), linger_seconds=linger_seconds)

    async def _turn(self, before: Batch | None, events: Sequence[Event] = ()) -> ExecutionStatus:
        course, worker, now = self._course, self._journal.owner, self._clock()
        batch = self._what_follows(events, now)
        if before is not None:
            batch = before.joined(batch)
        stopped: list[Ended] = []
        if course.tokens.is_over:
            stopped = [event.instead for event in events if isinstance(event, Paused)]
            stopped += await self._stop()
            batch = batch.without_beginnings().joined(stopped_turn(course, stopped))
        if needs := course.needs(batch):
            course.read(needs, await self._journal.results(needs.values()))
        attempts = [course.attempt(begin, worker=worker, now=now) for begin in batch.begins]
        status = verdict(course.tokens)
        change = None
        if status is not ExecutionStatus.RUNNING:
            change, lines = change_of(course)
            batch.logs += lines
        change = change or self._rest(self._linger_seconds)
        recorded = await self._write(batch, change, attempts)
        if self._pipeline.remote:
            self._tell_recorded([*(event for event in events if isinstance(event, Ended)), *stopped])
        for attempt in batch.due:
            self._launch(attempt)
        for attempt in batch.delays:
            self._delay(attempt)
        for attempt in attempts:
            begin = self._delay if attempt.delay_seconds > 0 else self._launch
            begin(attempt)
        for answered in batch.answered:
            self._go_on(answered)
        return status if change is None or recorded is None else recorded.status

    def _what_follows(self, events: Sequence[Event], now: float) -> Batch:
        """From what has happened; from what paused, nothing where all of it is over."""
        ended = [event for event in events if isinstance(event, Ended)]
        batch = graph_turn(self._course, ended, now=now)
        if len(ended) == len(events):
            return batch
        due = [event for event in events if isinstance(event, Due)]
        batch = waits_turn(self._course, due, worker=self._journal.owner).joined(batch)
        paused = [event for event in events if isinstance(event, Paused)]
        return batch.joined(paused_turn(self._course, paused, now=now))

    async def _write(
        self, batch: Batch, change: ExecutionUpdate | None, attempts: Sequence[Attempt] = ()
    ) -> Recorded | None:
        updates, logs = batch.updates, batch.logs
        starts: list[StepStart] = []
        for attempt in attempts:
            logs += attempt.lines
            if not attempt.is_on_record:
                starts.append(attempt.start)
            elif attempt.delay_seconds <= 0 and attempt.cluster is None:  # it begins on record
                updates.append(begun(attempt, self._journal.owner))
        new, self._new = self._new, None
        if not (new or updates or starts or logs or batch.asks or batch.expires or change):
            return None
        recording = self._journal.record(
            Transition(
                lease=self._lease,
                writer=self._journal.owner,
                new=new,
                updates=tuple(updates),
                starts=tuple(starts),
                logs=tuple(logs),
                asks=tuple(batch.asks),
                expires=tuple(batch.expires),
                change=change,
            )
        )
        # What begins is known to be on record, or not, before it may be ended.
        recorded = await (recording if new is None else uninterrupted(recording, "begin"))
        self.is_on_record = True
        return recorded

    # What begins

    def _delay(self, attempt: Attempt) -> None:
        id_ = attempt.start.step_execution_id

        async def wait() -> Event:
            try:
                await asyncio.sleep(attempt.delay_seconds)
            finally:
                self._has_happened(id_)
            return Due(attempt)

        self._let_happen(id_, wait(), f"delay:{attempt.key.step_id}")

    def _launch(self, attempt: Attempt) -> None:
        key, id_, number = attempt.key, attempt.start.step_execution_id, attempt.start.attempt or 1
        notes = Notes(id_, self._inner.write_notes)
        inner = InnerLevel(
            self._inner,
            path_of(GRAPH, *key),
            attempt=number,
            again_upto=attempt.again_upto,
            drops_output=not attempt.work.definition.keep_stream,
        )
        desk = None if attempt.work.remote is None else self._desk_of(attempt)
        context = StepContext(
            execution_id=self._lease.execution_id,
            step_id=key.step_id,
            step_execution_id=id_,
            iteration=key.iteration,
            attempt=number,
            rerun_of=self._rerun_of,
            config=attempt.work.config,
            services=self._services,
            keep_line=notes.keep_line,
            keep_progress=notes.keep_progress,
            keep_output=notes.keep_output,
            keep_usage=notes.keep_usage,
            inner=inner,
            trace=self._inner.trace,
        )
        work, capture = placed(attempt.work, context, desk), Capture(notes.keep_line, self._capture)

        def stopped() -> Ended:
            within = inner.end()
            capture.end_line()
            return Ended(key, id_, work.scope, None, *notes.end(), within, desk is not None and desk.is_elsewhere)

        async def make() -> Event:
            try:
                with capture:
                    if work.items is None:
                        outcome = await make_attempt(work, self._pipeline, self._executor, draw=self._draw())
                    else:
                        rules = MapRules(self._journal, self._linger_seconds, is_begun=attempt.is_on_record)
                        outcome = await make_map(work, context, self._pipeline, self._inner, rules)
                if notes.has_surplus:
                    with suppress(asyncio.CancelledError):  # what came of it is known already
                        await notes.write_surplus()
            except asyncio.CancelledError:  # this task is ours, and only we cancel it: that is how it ended
                return stopped()
            finally:
                self._has_happened(id_)
            if isinstance(outcome, MapWaits):
                return Paused(attempt, outcome, stopped())
            within = inner.end()
            return Ended(key, id_, work.scope, outcome, *notes.end(), within)

        self._let_happen(id_, make(), f"attempt:{key.step_id}#{key.iteration}", stopped)

    def _desk_of(self, attempt: Attempt) -> AttemptDesk:
        return AttemptDesk(
            self._inner,
            attempt.start.step_execution_id,
            again_upto=attempt.again_upto,
            drops_output=not attempt.work.definition.keep_stream,
            cluster=attempt.cluster,
        )

    def _go_on(self, answered: Answered) -> None:
        key, scope, outcome = answered.key, self._course.scope(answered.key), answered.outcome

        async def go_on() -> Event:
            is_routed = outcome.result is None or outcome.routes is not None
            try:
                final = (
                    outcome
                    if is_routed
                    else await call_functions(outcome, key.step_id, scope, self._pipeline, self._executor)
                )
            finally:
                self._has_happened(answered.attempt)
            return Ended(key, answered.attempt, scope, final)

        self._let_happen(answered.attempt, go_on(), f"answer:{key.step_id}")

    # What is stopped

    async def _stop(self) -> list[Ended]:
        """Cancel every attempt and every delay, and wait until they have stopped; returns what has ended."""
        going_on, self._ongoing, self._over = list(self._ongoing.values()), {}, []
        if not going_on:
            return []
        await self._executor.stop([each.task for each in going_on])
        events = [each.task.result() for each in going_on if each.task.done() and not each.task.cancelled()]
        events += [each.left() for each in going_on if each.left is not None and not each.task.done()]
        events = [event.instead if isinstance(event, Paused) else event for event in events]
        return [event for event in events if isinstance(event, Ended)]

    async def _end(self, change: ExecutionUpdate) -> None:
        """Stop everything and write how the execution ended."""
        stopped = await self._stop()
        await self._write(stopped_turn(self._course, stopped), change)
        self._tell_recorded(stopped)

    async def _hand_back(self) -> None:
        """Stop everything and put the execution back into the queue; attempts that had ended are written."""
        self._inner.leaves = True
        stopped = await self._stop()
        batch = handed_back_turn(self._course, stopped)
        recorded = await self._write(batch, ExecutionUpdate(status=ExecutionStatus.PENDING, released=True))
        if recorded is None or not recorded.status.is_terminal:  # it may have been cancelled instead
            stopped = [each for each in stopped if each.outcome is not None or not each.is_elsewhere]
        self._tell_recorded(stopped)

    def _tell_recorded(self, ended: Iterable[Ended]) -> None:
        """Tell the executor of which attempts in other processes the ends are on record."""
        ids = [each.attempt for each in ended if each.key.step_id in self._pipeline.remote]
        if ids:
            self._executor.recorded(ids)


async def record_before(interrupted: asyncio.CancelledError, ending: Coroutine[None, None, object]) -> None:
    """Record how an execution ends before the cancellation of its task goes on; a failure becomes a note of it."""
    try:
        await uninterrupted(ending, "end")
    except (TrackerError, DatabaseError) as error:
        interrupted.add_note(f"The end of the execution could not be recorded: {error}")
