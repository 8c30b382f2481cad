"""Running a step for each entry of a list: the items are runs within the run of the step, which ends when they have.

    items that ended → mapping.MapCourse (pure) → one transition with what begins → attempts of items

An item that has not begun has no row. To the graph all of this is one attempt of one step.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
from msgspec.structs import replace

from ia_modules.errors import AnsweredInTime, InvalidArgument, PayloadError, StepConflict, StepError
from ia_modules.models import JsonText, StepExecutionId, StepStatus, new_id
from ia_modules.paths import run_path
from ia_modules.payload import encode
from ia_modules.pipeline.answers import answer_outcome, new_interaction, waiting_update
from ia_modules.pipeline.attempt import (
    Outcome,
    Work,
    call_functions,
    failed,
    placed,
    prepare,
    run_alone,
)
from ia_modules.pipeline.capture import Capture
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import StepContext
from ia_modules.pipeline.current import enter
from ia_modules.pipeline.desk import AttemptDesk
from ia_modules.pipeline.inner import InnerLevel, InnerRecorder
from ia_modules.pipeline.inputs import check_contributions
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.kept_items import copy_completed
from ia_modules.pipeline.mapping import BegunItem, FailedItem, MapCourse
from ia_modules.pipeline.notes import Notes
from ia_modules.pipeline.recorded import STOP_JSON, retry_json
from ia_modules.pipeline.standing import StandingFacts
from ia_modules.pipeline.turn import LONGEST_WAIT_SECONDS, Batch, MapWaits, with_progress
from ia_modules.pipeline.waiting import settled
from ia_modules.transitions import Expiry, Failure, LogLine, StepStart, StepUpdate

_STOPPED = Failure(type="CancelledError", message="The item was stopped: too many others had failed.")
_RESULTS_AT_ONCE = 1_000
_SHOWN_CHARACTERS = 1_000
"""The input of an item is on record up to this size, to be read: what all items share must not be there for each."""


class MapRules(NamedTuple):
    """How a map is made.

    Attributes:
        journal: where the records of the items are read.
        linger_seconds: a delay that is over within this time is waited for here.
        is_begun: it goes on after it has waited; items of it are on record.
    """

    journal: Journal
    linger_seconds: float
    is_begun: bool


class _EndedItem(NamedTuple):
    """An attempt of an item that is over, or that asks; ``outcome`` None: it was stopped."""

    begun: BegunItem
    attempt: StepExecutionId
    outcome: Outcome | None
    lines: tuple[LogLine, ...] = ()
    progress: StepUpdate | None = None
    within: tuple[StepUpdate, ...] = ()


async def make_map(
    work: Work, context: StepContext, pipeline: LoadedPipeline, recorder: InnerRecorder, rules: MapRules
) -> Outcome | MapWaits:
    """Run the step for each of its items, then what its error handling says, then the functions that its paths ask.

    Returns: what came of it; or that nothing can be done now, and so nothing of it runs any more.

    Raises:
        asyncio.CancelledError: it was stopped; everything else is an outcome.
    """
    enter(context)
    if work.refused is not None:
        return await failed(work.refused, work, recorder.executor, draw=None)
    running = _Map(work, context, pipeline, recorder, rules)
    try:
        stored = await running.to_end()
        if isinstance(stored, MapWaits):
            return stored
        result = orjson.loads(stored)
        check_contributions(work.definition, result, work.merge)
    except (StepError, StepConflict, PayloadError, InvalidArgument) as error:
        outcome = await failed(error, work, recorder.executor, draw=None)
    else:
        outcome = Outcome(result, stored)
    if outcome.result is None:
        return outcome
    return await call_functions(outcome, work.definition.id, work.scope, pipeline, recorder.executor)


class _Map:
    """A map that runs."""

    def __init__(
        self, work: Work, context: StepContext, pipeline: LoadedPipeline, recorder: InnerRecorder, rules: MapRules
    ) -> None:
        assert work.items is not None
        self._work, self._context, self._pipeline, self._recorder = work, context, pipeline, recorder
        self._items, self._scope, self._rules = work.items, work.scope, rules
        self._facts = _of_item(pipeline.facts[work.definition.id])
        self._path = context.path
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[_EndedItem]] = {}
        self._delays: dict[int, asyncio.TimerHandle] = {}
        self._waiting: set[int] = set()  # for people
        self._over: list[int] = []
        self._look = asyncio.Event()

    async def to_end(self) -> JsonText | MapWaits:
        """Run all items; returns the result, or that those which are not over only wait.

        Raises:
            StepError: too many items failed, or what they gave is too large.
            StepConflict: the items on record are not those of this list.
            PayloadError, InvalidArgument: an item contributes what cannot be kept, or its address is too long.
        """
        try:
            course, error = await self._begun()
            while True:
                if course.has_failed or course.problem is not None:
                    await self._settle(course)
                    raise course.problem or course.failure(error)
                if not (self._tasks or self._delays or self._waiting or course.has_more):
                    return course.result()
                if (waits := self._waits(course)) is not None:
                    return waits
                await self._look.wait()
                self._look.clear()  # before the turn: what happens while that is written is looked at in the next
                over, self._over = self._over, []
                ended = [self._tasks.pop(number).result() for number in over]
                error = await self._turn(course, Batch(), ended) or error
        finally:
            await self._stop()

    async def _begun(self) -> tuple[MapCourse, Exception | None]:
        """Where it stands after what could go on or begin at once has, and why the last item failed that did."""
        while True:
            batch, ended = Batch(), list[_EndedItem]()
            course = await self._taken_up(batch, ended)
            try:
                return course, await self._turn(course, batch, ended)
            except AnsweredInTime:  # an answer came just before its deadline was written to have passed
                await self._stop()
                self._waiting.clear()

    def _waits(self, course: MapCourse) -> MapWaits | None:
        """What it waits for, where nobody has to stay with it; None: somebody has to."""
        if self._tasks or course.has_more:
            return None
        due = min((delay.when() for delay in self._delays.values()), default=None)
        seconds = None if due is None else due - self._loop.time()
        if seconds is not None and seconds <= self._rules.linger_seconds:
            return None
        return MapWaits(asks=bool(self._waiting), seconds=seconds)

    # What is on record

    async def _taken_up(self, batch: Batch, ended: list[_EndedItem]) -> MapCourse:
        """Where it stands; what has been answered meanwhile has ended."""
        journal, execution_id = self._rules.journal, self._recorder.execution_id
        records = []
        if self._rules.is_begun or self._context.attempt > 1:
            records = await journal.get_attempts(execution_id, within=self._path)
        if self._work.keeps_items:
            repeated, step_id = self._context.rerun_of, self._work.definition.id
            lease, path = self._recorder.lease, self._path
            records = await copy_completed(
                journal, lease, step_id, self._items, records, within=path, repeated=repeated
            )
        course = MapCourse(self._work.definition, self._items, records)
        kept = sorted(course.kept.items()) if self._work.definition.map and self._work.definition.map.collects else []
        for first in range(0, len(kept), _RESULTS_AT_ONCE):
            chunk = dict(kept[first : first + _RESULTS_AT_ONCE])
            outputs = await journal.results(chunk.values())
            for number, attempt in chunk.items():
                course.collect(number, self._scope, encode(outputs[attempt], "recorded result"))
        now = await journal.now() if course.delayed or course.asking else None
        for begun, record in course.delayed:
            seconds = 0.0 if record.wake_at is None or now is None else (record.wake_at - now).total_seconds()
            self._delay(course, begun, seconds)
        if course.asking and now is not None:
            ended += await self._answered(course, batch, now)
        return course

    async def _answered(self, course: MapCourse, batch: Batch, now: datetime) -> list[_EndedItem]:
        """The items whose questions are over; the others still wait."""
        journal, execution_id = self._rules.journal, self._recorder.execution_id
        questions = await journal.get_interactions(execution_id, awaited=True, within=self._path)
        question_of = {each.step_execution_id: each for each in questions}
        ended: list[_EndedItem] = []
        for begun, record in course.asking:
            question = question_of[record.step_execution_id]
            by = settled(record, now=now, is_answered=question.status == "answered")
            if by is None:
                self._waiting.add(begun.number)
                continue
            if by == "time":
                batch.expires.append(Expiry(interaction_id=question.interaction_id, seen=len(question.responses)))
            outcome = answer_outcome(self._work.definition.id, question, self._pipeline, by=by)
            ended.append(_EndedItem(begun, record.step_execution_id, outcome))
        course.running += len(ended)  # until they are taken in
        return ended

    # One turn

    async def _turn(self, course: MapCourse, batch: Batch, ended: list[_EndedItem]) -> Exception | None:
        """Write what has ended and what begins because of it; returns why the last item failed that did.

        Args:
            batch: what is to be written with it.
        """
        starts: list[StepStart] = []
        launches: list[tuple[BegunItem, StepExecutionId, Work]] = []
        error: Exception | None = None
        for each in ended:
            course.running -= 1
            delayed = self._taken_in(course, each, batch)
            if delayed is not None:
                starts.append(delayed)
            if each.outcome is not None and each.outcome.result is None:
                error = each.outcome.error
        for begun in course.begins():
            id_ = begun.on_record or StepExecutionId(new_id())
            work = self._work_of(begun)
            if begun.on_record is None:
                shown = work.data if len(work.data) <= _SHOWN_CHARACTERS else None
                starts.append(replace(self._start(begun, id_, StepStatus.RUNNING), input_data=shown))
            else:
                worker = self._recorder.journal.owner
                batch.updates.append(StepUpdate(step_execution_id=id_, status=StepStatus.RUNNING, worker=worker))
            launches.append((begun, id_, work))
        await self._write(batch, starts)
        for begun, id_, work in launches:
            self._launch(begun, id_, work)
        if ended:
            self._context.progress(course.done / len(self._items), self._progress_of(course))
        return error

    async def _write(self, batch: Batch, starts: Sequence[StepStart] = ()) -> None:
        if batch.updates or batch.logs or starts:
            await self._recorder.write(
                starts=tuple(starts),
                updates=tuple(batch.updates),
                logs=tuple(batch.logs),
                asks=tuple(batch.asks),
                expires=tuple(batch.expires),
            )

    def _progress_of(self, course: MapCourse) -> str:
        failures = f", {course.failed:,} failed" if course.failed else ""
        waiting = f", {len(self._waiting):,} waiting for people" if self._waiting else ""
        return f"{course.done:,} of {len(self._items):,}{failures}{waiting}"

    def _taken_in(self, course: MapCourse, ended: _EndedItem, batch: Batch) -> StepStart | None:
        """Put into a batch what becomes of an item; returns the start of the attempt that follows after a delay."""
        batch.logs += ended.lines
        batch.updates += ended.within
        update, delayed = self._update_of(course, ended, batch)
        batch.updates.append(with_progress(update, ended.progress))
        return delayed

    def _update_of(self, course: MapCourse, ended: _EndedItem, batch: Batch) -> tuple[StepUpdate, StepStart | None]:
        begun, outcome = ended.begun, ended.outcome
        is_over = course.has_failed or course.problem is not None
        update = StepUpdate(step_execution_id=ended.attempt)
        if outcome is None or (outcome.question is not None and is_over):
            return replace(update, status=StepStatus.CANCELLED, failure=_STOPPED), None
        if outcome.question is not None and outcome.result is not None:
            self._waiting.add(begun.number)
            batch.asks.append(new_interaction(outcome.question, ended.attempt, outcome.result))
            return waiting_update(ended.attempt, outcome, outcome.question), None
        failure = None if outcome.error is None else Failure.of(outcome.error)
        if outcome.result is not None:
            assert outcome.stored is not None
            course.complete(begun.number, self._scope, outcome.stored)
            update = replace(update, drops_output=not self._work.definition.keep_stream)
            return replace(update, status=StepStatus.COMPLETED, output_data=outcome.stored, failure=failure), None
        assert outcome.error is not None
        update = replace(update, status=StepStatus.FAILED, failure=failure)
        if outcome.retry_seconds is None or is_over:
            course.fail(FailedItem(begun.number, type(outcome.error).__name__, failure.message if failure else None))
            return replace(update, routes=encode(STOP_JSON, "routes")), None
        seconds = min(outcome.retry_seconds, LONGEST_WAIT_SECONDS)
        update = replace(update, routes=encode(retry_json(seconds), "routes"))
        again = BegunItem(begun.number, begun.attempt + 1, begun.failures + 1)
        if seconds <= 0:
            course.again(again)
            return update, None
        id_ = StepExecutionId(new_id())
        self._delay(course, replace(again, on_record=id_), seconds)
        return update, self._start(again, id_, StepStatus.PENDING, wake_after_seconds=seconds)

    def _start(
        self, begun: BegunItem, id_: StepExecutionId, status: StepStatus, *, wake_after_seconds: float | None = None
    ) -> StepStart:
        definition = self._work.definition
        return StepStart(
            step_execution_id=id_,
            step_id=definition.id,
            step_name=self._items.key(begun.number),
            step_type=definition.type,
            within=self._path,
            iteration=begun.number,
            attempt=begun.attempt,
            status=status,
            worker=self._recorder.journal.owner,
            effect=definition.known_effect,
            wake_after_seconds=wake_after_seconds,
        )

    # What runs

    def _work_of(self, begun: BegunItem) -> Work:
        scope = self._scope.of_item(self._items.item(begun.number))
        return prepare(self._pipeline, self._facts, scope, failures=begun.failures, refused=None)

    def _launch(self, begun: BegunItem, id_: StepExecutionId, work: Work) -> None:
        definition, recorder = self._work.definition, self._recorder
        notes = Notes(id_, recorder.write_notes)
        path, drops_output = run_path(self._path, definition.id, begun.number), not definition.keep_stream
        inner = InnerLevel(recorder, path, attempt=begun.attempt, drops_output=drops_output)
        desk = None if work.remote is None else AttemptDesk(recorder, id_, drops_output=drops_output)
        context = StepContext(
            execution_id=self._context.execution_id,
            step_id=definition.id,
            step_execution_id=id_,
            iteration=begun.number,
            attempt=begun.attempt,
            rerun_of=self._context.rerun_of,
            config=work.config,
            services=self._context.services,
            keep_line=notes.keep_line,
            keep_progress=notes.keep_progress,
            keep_output=notes.keep_output,
            keep_usage=notes.keep_usage,
            within=self._path,
            item_key=self._items.key(begun.number),
            inner=inner,
            trace=recorder.trace,
        )

        async def make() -> _EndedItem:
            outcome: Outcome | None = None
            within: tuple[StepUpdate, ...] = ()
            try:
                with Capture(notes.keep_line, recorder.capture):
                    outcome = await run_alone(placed(work, context, desk), recorder.executor, draw=recorder.draw())
                await notes.write_surplus()
            except asyncio.CancelledError:  # this task is ours, and only we cancel it: that is how it ended
                pass
            finally:
                within = inner.end()
                if begun.number in self._tasks:
                    self._over.append(begun.number)
                    self._look.set()
            return _EndedItem(begun, id_, outcome, *notes.end(), within)

        name = f"item:{definition.id}#{begun.number}"
        self._tasks[begun.number] = self._loop.create_task(make(), name=name)

    def _delay(self, course: MapCourse, begun: BegunItem, seconds: float) -> None:
        def due() -> None:
            del self._delays[begun.number]
            course.again(begun)
            self._look.set()

        self._delays[begun.number] = self._loop.call_later(max(seconds, 0.0), due)

    async def _settle(self, course: MapCourse) -> None:
        """Stop what still runs, and put on record that it was; what was done by then counts."""
        batch = Batch()
        for each in await self._stop():
            self._taken_in(course, each, batch)
        await self._write(batch)

    async def _stop(self) -> list[_EndedItem]:
        """Stop what still runs, and what waits for its time; returns what has ended. The rest closes with the map."""
        for delay in self._delays.values():
            delay.cancel()
        self._delays = {}
        going_on, self._tasks = list(self._tasks.values()), {}
        if going_on:
            await self._recorder.executor.stop(going_on)
        return [task.result() for task in going_on if task.done() and not task.cancelled()]


def _of_item(facts: StandingFacts) -> StandingFacts:
    """The facts of a step as its items have them: whether a failure is gone on from is the map's."""
    return facts.with_handling(facts.handling.model_copy(update={"continue_on_error": False}))
