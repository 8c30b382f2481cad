"""Steps within a step: what running code calls through ``context.step`` is on record, and is not called again.

    call → is it answered on record? → start on record → the function → end on record → what JSON makes of the result

A crash between a function's return and its end on record costs that one call again; after the record, none.
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple

from msgspec.structs import replace
from pydantic import ValidationError

from ia_modules.errors import (
    PASSING_DATABASE_ERRORS,
    ConstraintViolated,
    InnerStepConflict,
    PayloadError,
    StepError,
    StepTimeout,
    TrackerError,
)
from ia_modules.models import (
    ExecutionId,
    JsonText,
    Lease,
    RunPath,
    StepExecutionId,
    StepExecutionRecord,
    StepStatus,
    new_id,
)
from ia_modules.paths import run_path
from ia_modules.payload import encode
from ia_modules.pipeline.capture import CaptureRules
from ia_modules.pipeline.core import Inner, StepContext
from ia_modules.pipeline.current import inside
from ia_modules.pipeline.document.retry import retry_delay, should_retry
from ia_modules.pipeline.executor import StepExecutor, failure_of, is_async
from ia_modules.pipeline.inner_calls import (
    STEP_TYPE,
    InnerKey,
    Numbering,
    arguments_hash,
    arguments_of,
    hash_of,
    is_answered,
    newest_of_each,
    next_attempt,
    refs_text,
    restored,
    stored_arguments,
)
from ia_modules.pipeline.journal import StepJournal
from ia_modules.pipeline.notes import Notes
from ia_modules.pipeline.recorded import retry_json
from ia_modules.pipeline.streaming import awaited, streamed
from ia_modules.pipeline.turn import LONGEST_WAIT_SECONDS, with_progress
from ia_modules.tasks import settling
from ia_modules.traces.running import RunTrace
from ia_modules.transitions import (
    Expiry,
    Failure,
    LogLine,
    NewInteraction,
    StepStart,
    StepUpdate,
    Transition,
)

SLEEP = "sleep"
"""What ``context.sleep`` is called on record."""

OTHER_LOOP = (
    "it was awaited on an event loop of its own, such as that of asyncio.run within a step; expected `async def` and "
    "`await`, or context.call in a plain def: calls are recorded on the loop that the step runs on."
)

_CANCELLED = Failure(type="CancelledError", message="The code around it stopped waiting for it.")


@dataclass(slots=True)
class InnerRecorder:
    """How the inner steps of one execution are recorded and made.

    Attributes:
        draw: uniform in [0, 1), for the delays of retries.
        loop: on which it is recorded.
        capture: what goes on record of the steps' own logging and printing.
        trace: of the execution; None: it has none.
        leaves: the execution is left to others, who go on with it.
    """

    journal: StepJournal
    lease: Lease
    executor: StepExecutor
    draw: Callable[[], float]
    loop: asyncio.AbstractEventLoop
    capture: CaptureRules
    trace: RunTrace | None = None
    leaves: bool = False

    @property
    def execution_id(self) -> ExecutionId:
        return self.lease.execution_id

    async def write(
        self,
        *,
        starts: tuple[StepStart, ...] = (),
        updates: tuple[StepUpdate, ...] = (),
        logs: tuple[LogLine, ...] = (),
        asks: tuple[NewInteraction, ...] = (),
        expires: tuple[Expiry, ...] = (),
    ) -> None:
        await self.journal.record(
            Transition(
                lease=self.lease,
                writer=self.journal.owner,
                starts=starts,
                updates=updates,
                logs=logs,
                asks=asks,
                expires=expires,
            )
        )

    async def write_notes(self, lines: tuple[LogLine, ...], updates: tuple[StepUpdate, ...]) -> bool:
        """Write lines and progress; False: it could not, and may be able to later."""
        try:
            await self.write(updates=updates, logs=lines)
        except TrackerError:
            return True  # ended, or another process's: whoever writes its end finds out
        except PASSING_DATABASE_ERRORS:
            return False
        return True


class _BegunCall(NamedTuple):
    """A call that is on record as running."""

    id: StepExecutionId
    context: StepContext
    notes: Notes
    level: "InnerLevel"


class _Calls:
    """What has been called within an attempt: there is one from the first call on, since most steps make none.

    Attributes:
        known: what is on record from earlier attempts; ``reading``: what reads that.
        results: of calls with a key, with the hash of their arguments: they may come once more.
        begun: calls that run.
        left: ends of calls that nobody waits for any more, for the next write.
        from_threads: what is made for threads.
    """

    __slots__ = ("begun", "from_threads", "key_of", "known", "left", "one_at_a_time", "reading", "results")

    def __init__(self) -> None:
        self.key_of = Numbering().key_of
        self.known: dict[InnerKey, StepExecutionRecord] = {}
        self.reading: asyncio.Task[None] | None = None
        self.results: dict[InnerKey, tuple[str, JsonText]] = {}
        self.one_at_a_time: dict[InnerKey, asyncio.Lock] = {}
        self.begun: dict[StepExecutionId, _BegunCall] = {}
        self.left: list[StepUpdate] = []
        self.from_threads: set[asyncio.Task[Any]] = set()


_FIRST_CALL = threading.Lock()


class InnerLevel:
    """What one attempt of a run calls within itself. Its methods may be called from any thread of the attempt."""

    def __init__(
        self,
        recorder: InnerRecorder,
        path: RunPath,
        *,
        attempt: int,
        again_upto: int = 0,
        drops_output: bool = False,
    ) -> None:
        """Nothing has been called.

        Args:
            path: of the run around the calls.
            attempt: which of its attempts this is; calls of earlier ones may be on record.
            again_upto: what completed in an attempt up to this one is called again.
            drops_output: what calls emit is not kept of those that complete.
        """
        self._recorder, self._path, self._attempt, self._again_upto = recorder, path, attempt, again_upto
        self._drops_output = drops_output
        self._begun: _Calls | None = None
        self._has_ended = False

    @property
    def _calls(self) -> "_Calls":
        with _FIRST_CALL:
            self._begun = self._begun or _Calls()
        return self._begun

    # As core.InnerSteps

    def step(
        self,
        around: StepContext,
        inner: Inner,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Coroutine[Any, Any, Any]:
        """As :meth:`StepContext.step`; the number of the call is taken now."""
        call = _Call(self, around, inner, self._calls.key_of(inner), function, args, kwargs)
        return call.made() if inner.key is None else self._made_alone(call)

    def call(
        self,
        around: StepContext,
        inner: Inner,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """As :meth:`StepContext.call`."""
        call = _Call(self, around, inner, self._calls.key_of(inner), function, args, kwargs)
        waiting = (
            None if inner.timeout_seconds is not None or is_async(function) else _WaitingThread(self._recorder.loop)
        )
        made = call.made(waiting) if inner.key is None else self._made_alone(call, waiting)
        return _on_loop(self._kept(made), self._recorder.loop, waiting)

    async def sleep(self, seconds: float) -> None:
        """As :meth:`StepContext.sleep`."""
        self.refuse_other_loop(SLEEP)
        key = self._calls.key_of(Inner(SLEEP))
        known = await self.recorded(key)
        if is_answered(known, again_upto=self._again_upto):
            return
        recorder = self._recorder
        if known is not None and known.status is StepStatus.PENDING and known.wake_at is not None:
            id_, rest = known.step_execution_id, (known.wake_at - await recorder.journal.now()).total_seconds()
        else:
            id_, rest = StepExecutionId(new_id()), min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
            start = self._start(id_, key, Inner(SLEEP), attempt=next_attempt(known), arguments={"seconds": seconds})
            start = replace(start, status=StepStatus.PENDING, wake_after_seconds=rest) if rest > 0 else start
            await recorder.write(starts=(start,), updates=self._take_left())
        try:
            await asyncio.sleep(max(rest, 0.0))
        except asyncio.CancelledError:
            self._calls.left.append(StepUpdate(step_execution_id=id_, status=StepStatus.CANCELLED, failure=_CANCELLED))
            raise
        await self.write_end(StepUpdate(step_execution_id=id_, status=StepStatus.COMPLETED, output_data=_NULL))

    def end(self) -> tuple[StepUpdate, ...]:
        """The attempt is over: nothing is called or recorded within it any more; what is open closes with it.

        Returns: what is to be written before that: the ends of calls that nobody waits for, and what open ones used.
        """
        self._has_ended = True
        calls = self._begun
        if calls is None:
            return ()
        for task in list(calls.from_threads):
            task.cancel()
        return self._open()

    def _open(self) -> tuple[StepUpdate, ...]:
        if self._begun is None:
            return ()
        updates = [*self._take_left()]
        for begun in list(self._begun.begun.values()):
            updates += begun.level._open()
            if (usage := begun.notes.usage) is not None:
                updates.append(StepUpdate(step_execution_id=begun.id, usage=usage))
        return tuple(updates)

    # What is on record

    async def recorded(self, key: InnerKey) -> StepExecutionRecord | None:
        """The newest attempt of a call that is on record from an earlier attempt of the run; None: there is none.

        Raises:
            StepError: the attempt is over.
        """
        if self._has_ended:
            raise StepError(key.step_id, f"the step around it, {self._path}, has ended: nothing can be called in it.")
        if self._attempt > 1:
            calls = self._calls
            calls.reading = calls.reading or asyncio.create_task(self._read(), name=f"read:{self._path}")
            await asyncio.shield(calls.reading)
        return self._calls.known.get(key)

    def answer(self, key: InnerKey, known: StepExecutionRecord | None, hashed: str) -> JsonText | None:
        """The result of a call that has been made; None: it has not.

        Args:
            known: what is on record of it from an earlier attempt of the run.
            hashed: the arguments that it comes with now.

        Raises:
            InnerStepConflict: it was made for other ones.
        """
        if key in self._calls.results:
            made_for, stored = self._calls.results[key]
        elif known is not None and is_answered(known, again_upto=self._again_upto):
            made_for, stored = hash_of(known), encode(known.output_data, "recorded result")
        else:
            return None
        if made_for != hashed:
            raise InnerStepConflict(f"{key.step_id}#{key.iteration}")
        return stored

    def keep(self, call: "_Call", hashed: str, stored: JsonText) -> None:
        """What a call with a key gave here: it may come once more."""
        if call.inner.key is not None:
            self._calls.results[call.key] = hashed, stored

    async def _read(self) -> None:
        records = await self._recorder.journal.get_execution_steps(self._recorder.execution_id, within=self._path)
        self._calls.known = newest_of_each(records)

    # What is written

    async def begin(self, call: "_Call", arguments: Mapping[str, Any], hashed: str, attempt: int) -> _BegunCall:
        """Put the start of a call on record."""
        recorder, id_ = self._recorder, StepExecutionId(new_id())
        path = run_path(self._path, *call.key)
        notes = Notes(id_, recorder.write_notes)
        start = self._start(id_, call.key, call.inner, attempt=attempt, arguments=arguments, hashed=hashed)
        try:
            await recorder.write(starts=(start,), updates=self._take_left())
        except ConstraintViolated as error:
            what = f"{call.key.step_id!r} is recorded by hand within it, too: give one of them another name."
            raise StepError(call.around.step_id, what) from error
        level = InnerLevel(recorder, path, attempt=attempt, drops_output=self._drops_output)
        context = StepContext(
            execution_id=recorder.execution_id,
            step_id=call.key.step_id,
            step_execution_id=id_,
            iteration=call.key.iteration,
            attempt=attempt,
            rerun_of=call.around.rerun_of,
            config=call.around.config,
            services=call.around.services,
            keep_line=notes.keep_line,
            keep_progress=notes.keep_progress,
            keep_output=notes.keep_output,
            keep_usage=notes.keep_usage,
            within=self._path,
            inner=level,
            trace=recorder.trace,
        )
        begun = self._calls.begun[id_] = _BegunCall(id_, context, notes, level)
        return begun

    async def end_of(self, begun: _BegunCall, update: StepUpdate) -> None:
        """Put the end of a call on record, with what it logged.

        Raises:
            asyncio.CancelledError: the caller was cancelled; the call is cancelled when its output was still written.
        """
        self._calls.left += begun.level.end()
        try:
            await begun.notes.write_surplus()
        except asyncio.CancelledError:
            self.leave(begun)
            raise
        self._calls.begun.pop(begun.id, None)
        lines, progress = begun.notes.end()
        update = replace(with_progress(update, progress), drops_output=self._drops_output)
        await self.write_end(update, lines)

    async def write_end(self, update: StepUpdate, lines: tuple[LogLine, ...] = ()) -> None:
        await self._recorder.write(updates=(*self._take_left(), update), logs=lines)

    def leave(self, begun: _BegunCall) -> None:
        """Nobody waits for a call any more: its end is written with what is written next, or closes with the step."""
        self._calls.begun.pop(begun.id, None)
        within, (_, progress) = begun.level.end(), begun.notes.end()
        cancelled = StepUpdate(step_execution_id=begun.id, status=StepStatus.CANCELLED, failure=_CANCELLED)
        self._calls.left += (*within, with_progress(cancelled, progress))

    def _take_left(self) -> tuple[StepUpdate, ...]:
        calls = self._calls
        left, calls.left = tuple(calls.left), []
        return left

    def _start(
        self,
        id_: StepExecutionId,
        key: InnerKey,
        inner: Inner,
        *,
        attempt: int,
        arguments: Mapping[str, Any],
        hashed: str | None = None,
    ) -> StepStart:
        return StepStart(
            step_execution_id=id_,
            step_id=key.step_id,
            step_name=key.step_id,
            step_type=STEP_TYPE,
            within=self._path,
            iteration=key.iteration,
            attempt=attempt,
            worker=self._recorder.journal.owner,
            input_data=stored_arguments(arguments),
            input_refs=refs_text(hashed or arguments_hash(arguments), outer_attempt=self._attempt),
            effect=inner.effect,
        )

    # How it is made

    @property
    def executor(self) -> StepExecutor:
        return self._recorder.executor

    def draw(self) -> float:
        return self._recorder.draw()

    def refuse_other_loop(self, step_id: str) -> None:
        """Raises StepError: the running loop is not the one on which this execution is recorded."""
        if asyncio.get_running_loop() is not self._recorder.loop:
            raise StepError(step_id, OTHER_LOOP)

    async def _made_alone(self, call: "_Call", waiting: "_WaitingThread | None" = None) -> Any:
        self.refuse_other_loop(call.key.step_id)
        async with self._calls.one_at_a_time.setdefault(call.key, asyncio.Lock()):
            return await call.made(waiting)

    async def _kept(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What is made for a thread, which nobody stops: it ends with the attempt at the latest."""
        task = asyncio.current_task()
        assert task is not None
        self._calls.from_threads.add(task)
        try:
            return await work
        finally:
            self._calls.from_threads.discard(task)


class _WaitingThread:
    """A thread that waits for a call, and has the function called in itself meanwhile."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    async def called(self, function: Callable[[], Any]) -> Any:
        """What a function gives that the thread calls."""
        outcome: asyncio.Future[Any] = self._loop.create_future()
        self._asked.put(settling(function, outcome, "an inner step"))
        return await outcome

    def serve(self, made: "Future[Any]") -> None:
        """Call what is asked for until the call is made; runs in the thread."""
        made.add_done_callback(lambda _: self._asked.put(None))
        while (call := self._asked.get()) is not None:
            call()


def _on_loop(work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop, waiting: _WaitingThread | None) -> Any:
    """What work on the loop gives, waited for in another thread."""
    made = asyncio.run_coroutine_threadsafe(work, loop)
    if waiting is not None:
        waiting.serve(made)
    return made.result()


class _Call(NamedTuple):
    """One call of ``context.step``."""

    level: InnerLevel
    around: StepContext
    inner: Inner
    key: InnerKey
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    async def made(self, waiting: _WaitingThread | None = None) -> Any:
        """The recorded result, or that of a call that is recorded now.

        Args:
            waiting: the thread that the function is called in; None: it is called from here.
        """
        level = self.level
        level.refuse_other_loop(self.key.step_id)
        arguments = arguments_of(self.function, self.args, self.kwargs)
        hashed, known = arguments_hash(arguments), await level.recorded(self.key)
        if (stored := level.answer(self.key, known, hashed)) is not None:
            return restored(self.function, stored)
        attempt, failures, policy = next_attempt(known), 0, self.inner.policy
        while True:
            begun = await level.begin(self, arguments, hashed, attempt)
            try:
                value = await self._called(begun.context, waiting)
            except asyncio.CancelledError:
                level.leave(begun)
                raise
            except BaseException as left:
                error, failures, attempt = failure_of(self.key.step_id, left), failures + 1, attempt + 1
                if policy is not None and should_retry(policy, failures, error):
                    seconds = retry_delay(policy, failures, draw=level.draw())
                    await level.end_of(begun, _failed(begun, error, again_after=seconds))
                    await asyncio.sleep(seconds)
                    continue
                await level.end_of(begun, _failed(begun, error))
                if error is left:
                    raise
                raise error from left
            try:
                stored, answer = self._result(value)
            except (PayloadError, StepError) as error:
                await level.end_of(begun, _failed(begun, error))
                raise
            update = StepUpdate(step_execution_id=begun.id, status=StepStatus.COMPLETED, output_data=stored)
            await level.end_of(begun, update)
            level.keep(self, hashed, stored)
            return answer

    def _result(self, value: Any) -> tuple[JsonText, Any]:
        """The result as it is stored, and as the caller gets it."""
        stored = encode(value, f"result of inner step {self.key.step_id!r}")
        try:
            return stored, restored(self.function, stored)
        except ValidationError as error:
            raise StepError(self.key.step_id, f"its result does not fit its annotation: {error}") from error

    async def _called(self, context: StepContext, waiting: _WaitingThread | None) -> Any:
        call, seconds = partial(self.function, *self.args, **self.kwargs), self.inner.timeout_seconds
        if waiting is not None:
            value = await waiting.called(partial(_called_in_place, context, call))
            with inside(context):
                while (rest := awaited(value)) is not None:
                    value = await rest
            return value
        with inside(context):
            is_stream = inspect.isasyncgenfunction(self.function)
            if not (is_stream or is_async(self.function)):
                return await self.level.executor.execute(self.key.step_id, call, timeout_seconds=seconds)
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    return await (streamed(call()) if is_stream else call())
            except TimeoutError:
                if seconds is not None and limit.expired():
                    raise StepTimeout(self.key.step_id, seconds) from None
                raise


def _called_in_place(context: StepContext, call: Callable[[], Any]) -> Any:
    with inside(context):
        return call()


def _failed(begun: _BegunCall, error: Exception, *, again_after: float | None = None) -> StepUpdate:
    routes = None if again_after is None else encode(retry_json(again_after), "routes")
    failure = Failure.of(error)
    return StepUpdate(step_execution_id=begun.id, status=StepStatus.FAILED, routes=routes, failure=failure)


_NULL = encode(None, "nothing")
