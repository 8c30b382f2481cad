"""Recording somebody else's program: ``async with tracker.execution(...) as execution, execution.step(...) as step``.

Without an event loop, ``with`` does the same. How a block ends is what is recorded: well, with an exception, or
cancelled. The exception itself goes on its way; when it could not be recorded it carries a note that says so. What is
recorded inside of a step's block is a part of it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from ia_modules.errors import InvalidArgument, PayloadError, refuse_on_loop
from ia_modules.models import Effect, ExecutionId, Json, LogLevel, StepExecutionId
from ia_modules.paths import GRAPH
from ia_modules.payload import clean_text
from ia_modules.place import Place, RecordedPlace, begin_recording, end_recording, here
from ia_modules.traces.running import Leave, RunTrace, outer_traceparent, run_trace
from ia_modules.tracker.writer import ExecutionWriter, StartedRun
from ia_modules.transitions import Failure, StepUpdate, Transition

T = TypeVar("T")
EndWrite = Coroutine[Any, Any, bool]


class RecordedBlock:
    """What a program says of what is being recorded; a name that is not among these is refused.

    Attributes:
        output: set this to what it results in.
        metadata: what was said at its beginning; what it is at the end stands on record.
    """

    __slots__ = ("_around", "_leave_trace", "_metadata_before", "_place", "metadata", "output")

    def __init__(self, metadata: Json) -> None:
        self.output: Json = None
        self.metadata: Json = metadata
        self._metadata_before = ""
        self._place: Place | None = None
        self._around: Place | None = None
        self._leave_trace: Leave | None = None

    def _enter(self, place: Place, trace: RunTrace | None, id_: ExecutionId | StepExecutionId, name: str) -> None:
        """From here on, the block's code runs."""
        self._leave_trace = None if trace is None else trace.enter(id_, name)
        self._metadata_before = repr(self.metadata)  # which is JSON: it is on record
        self._place, self._around = place, here.get()
        here.set(place)

    def _leave(self) -> None:
        """Not reset by a token: a block that is left behind may be ended in another context."""
        if here.get() is self._place:
            here.set(self._around)
        if self._leave_trace is not None:
            self._leave_trace()

    @property
    def _new_metadata(self) -> Json:
        """What it has become since the beginning; None: nothing else."""
        return None if repr(self.metadata) == self._metadata_before else self.metadata


class RecordedExecution(RecordedBlock):
    """A program that is being recorded.

    Attributes:
        id: the execution's id, from the beginning of the block.
    """

    __slots__ = ("_input_data", "_pipeline_id", "_pipeline_name", "_total_steps", "_trace", "_tracker", "id")

    def __init__(
        self,
        tracker: ExecutionWriter,
        pipeline_id: str,
        *,
        pipeline_name: str | None,
        input_data: Json,
        total_steps: int,
        metadata: Json,
    ) -> None:
        super().__init__(metadata)
        self.id = ExecutionId("")
        self._tracker = tracker
        self._pipeline_id = pipeline_id
        self._pipeline_name = pipeline_name
        self._input_data = input_data
        self._total_steps = total_steps
        self._trace: RunTrace | None = None

    @property
    def traceparent(self) -> str | None:
        """The header ``traceparent`` of what is sent to others from here; as that of a step's context."""
        return None if self._trace is None else self._trace.traceparent(self.id)

    def step(
        self,
        step_id: str,
        *,
        name: str | None = None,
        step_type: str = "task",
        input_data: Json = None,
        metadata: Json = None,
        effect: Effect | None = None,
    ) -> "RecordedStep":
        """``async with`` this around one step. A step that failed before is recorded as its next attempt.

        Inside of the block of another step it is a part of that. ``effect``: what it does outside; None: not said.
        """
        return RecordedStep(
            self._tracker,
            self.id,
            step_id,
            name=name or step_id,
            step_type=step_type,
            input_data=input_data,
            metadata=metadata,
            effect=effect,
            trace=self._trace,
        )

    async def log(self, message: str, *, level: LogLevel | str = LogLevel.INFO, data: Json = None) -> None:
        """Keep a line of text at the execution."""
        await self._tracker.log(self.id, message, level=level, data=data)

    async def __aenter__(self) -> Self:
        self._enter(await self._begin(), self._trace, self.id, "execution")
        return self

    def __enter__(self) -> "BlockingExecution":
        """For code without an event loop.

        Raises:
            BlockingCallOnLoop: an event loop runs here; use ``async with``.
        """
        refuse_on_loop("with tracker.execution(...)", "async with tracker.execution(...)")
        self._enter(self._tracker.call(self._begin()), self._trace, self.id, "execution")
        return BlockingExecution(self, self._tracker)

    async def _begin(self) -> Place:
        traceparent = outer_traceparent()
        starting = self._tracker.start_execution(
            self._pipeline_id, self._pipeline_name, self._input_data, self._total_steps, self.metadata
        )
        self.id = await _begin(starting, self._end)
        self._trace = run_trace(self._tracker.traces, self.id, traceparent)
        begin_recording(self.id, self._tracker)
        return RecordedPlace(self.id, GRAPH)

    def _end(self, execution_id: ExecutionId, end: "_BlockEnd") -> EndWrite:
        return self._tracker.update_execution_status(
            execution_id, end.status, output_data=end.output, failure=end.failure, metadata=end.metadata
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._leave()
        await self._finish(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._leave()
        self._tracker.call(self._finish(error))

    async def _finish(self, error: BaseException | None) -> None:
        try:
            await _record_end(partial(self._end, self.id), self.output, error, self._new_metadata)
        finally:
            end_recording(self.id, self._tracker)


class RecordedStep(RecordedBlock):
    """A step that is being recorded.

    Attributes:
        id: the id of this attempt, from the beginning of the block.
    """

    __slots__ = ("_effect", "_execution_id", "_input_data", "_name", "_step_id", "_trace", "_tracker", "_type", "id")

    def __init__(
        self,
        tracker: ExecutionWriter,
        execution_id: ExecutionId,
        step_id: str,
        *,
        name: str,
        step_type: str,
        input_data: Json,
        metadata: Json,
        effect: Effect | None,
        trace: RunTrace | None = None,
    ) -> None:
        super().__init__(metadata)
        self.id = StepExecutionId("")
        self._tracker = tracker
        self._execution_id = execution_id
        self._step_id = step_id
        self._name = name
        self._type = step_type
        self._input_data = input_data
        self._effect: Effect | None = effect
        self._trace = trace

    @property
    def traceparent(self) -> str | None:
        """The header ``traceparent`` of what is sent to others from here; as that of a step's context."""
        return None if self._trace is None else self._trace.traceparent(self.id)

    async def log(self, message: str, *, level: LogLevel | str = LogLevel.INFO, data: Json = None) -> None:
        """Keep a line of text at this attempt."""
        await self._tracker.log(self._execution_id, message, level=level, step_execution_id=self.id, data=data)

    async def progress(self, fraction: float, message: str | None = None) -> None:
        """Show how far the step is: ``fraction`` from 0 to 1; the latest wins."""
        if not 0 <= fraction <= 1:  # also what is no number
            raise InvalidArgument(f"progress of step {self._step_id!r}", str(fraction), "0 to 1")
        text = None if message is None else clean_text(message)
        update = StepUpdate(step_execution_id=self.id, progress=fraction, progress_message=text)
        await self._tracker.record(
            Transition(execution_id=self._execution_id, writer=self._tracker.owner, updates=(update,))
        )

    async def __aenter__(self) -> Self:
        self._enter(await self._begin(), self._trace, self.id, self._step_id)
        return self

    def __enter__(self) -> "BlockingStep":
        """For code without an event loop.

        Raises:
            BlockingCallOnLoop: an event loop runs here; use ``async with``.
        """
        refuse_on_loop("with execution.step(...)", "async with execution.step(...)")
        self._enter(self._tracker.call(self._begin()), self._trace, self.id, self._step_id)
        return BlockingStep(self, self._tracker)

    async def _begin(self) -> Place:
        starting = self._tracker.start_run(
            self._execution_id,
            self._step_id,
            self._name,
            self._type,
            self._input_data,
            self.metadata,
            effect=self._effect,
        )
        started = await _begin(starting, self._end)
        self.id = started.step_execution_id
        return RecordedPlace(self._execution_id, started.path)

    def _end(self, started: StartedRun, end: "_BlockEnd") -> EndWrite:
        return self._tracker.complete_step_execution(
            started.step_execution_id, end.status, end.output, failure=end.failure, metadata=end.metadata
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._leave()
        await self._finish(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._leave()
        self._tracker.call(self._finish(error))

    async def _finish(self, error: BaseException | None) -> None:
        started = StartedRun(self.id, GRAPH)
        await _record_end(partial(self._end, started), self.output, error, self._new_metadata)


class BlockingBlock:
    """What a block is in code without an event loop: the same, where nothing is awaited.

    Attributes:
        output: set this to what it results in.
        metadata: as of the block.
    """

    __slots__ = ("_block", "_call")

    def __init__(self, block: RecordedExecution | RecordedStep, tracker: ExecutionWriter) -> None:
        self._block: RecordedExecution | RecordedStep = block
        self._call = tracker.call

    @property
    def traceparent(self) -> str | None:
        """As of the block."""
        return self._block.traceparent

    @property
    def output(self) -> Json:
        return self._block.output

    @output.setter
    def output(self, output: Json) -> None:
        self._block.output = output

    @property
    def metadata(self) -> Json:
        return self._block.metadata

    @metadata.setter
    def metadata(self, metadata: Json) -> None:
        self._block.metadata = metadata

    def log(self, message: str, *, level: LogLevel | str = LogLevel.INFO, data: Json = None) -> None:
        """Keep a line of text here."""
        refuse_on_loop("log", "log")
        self._call(self._block.log(message, level=level, data=data))


class BlockingExecution(BlockingBlock):
    """A program that is being recorded."""

    __slots__ = ("_execution",)

    def __init__(self, execution: RecordedExecution, tracker: ExecutionWriter) -> None:
        super().__init__(execution, tracker)
        self._execution = execution

    @property
    def id(self) -> ExecutionId:
        """The execution's id."""
        return self._execution.id

    def step(
        self,
        step_id: str,
        *,
        name: str | None = None,
        step_type: str = "task",
        input_data: Json = None,
        metadata: Json = None,
        effect: Effect | None = None,
    ) -> RecordedStep:
        """``with`` this around one step; as :meth:`RecordedExecution.step`."""
        return self._execution.step(
            step_id, name=name, step_type=step_type, input_data=input_data, metadata=metadata, effect=effect
        )


class BlockingStep(BlockingBlock):
    """A step that is being recorded."""

    __slots__ = ("_step",)

    def __init__(self, step: RecordedStep, tracker: ExecutionWriter) -> None:
        super().__init__(step, tracker)
        self._step = step

    @property
    def id(self) -> StepExecutionId:
        """The id of this attempt."""
        return self._step.id

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Show how far the step is: ``fraction`` from 0 to 1; the latest wins."""
        refuse_on_loop("progress", "progress")
        self._call(self._step.progress(fraction, message))


class _BlockEnd(NamedTuple):
    """How a block ended. ``metadata`` None: as it began."""

    status: str
    output: Json = None
    failure: Failure | None = None
    metadata: Json = None


async def _begin(starting: Coroutine[Any, Any, T], end: Callable[[T, _BlockEnd], EndWrite]) -> T:
    """What begins. If the caller is cancelled meanwhile, the end is recorded too."""
    task = asyncio.create_task(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancelled:
        await asyncio.wait([task])
        if task.exception() is None:
            await _record_end(partial(end, task.result()), None, cancelled)
        raise


async def _record_end(
    write: Callable[[_BlockEnd], EndWrite], output: Json, error: BaseException | None, metadata: Json = None
) -> None:
    """Record how a block ended, even if cancelled meanwhile.

    A result or metadata that cannot be stored is a failure. An exception that is under way is never replaced by one
    from here.
    """
    if error is None:
        try:
            await _finish(write(_BlockEnd("completed", output, metadata=metadata)))
        except PayloadError as unusable:
            await _finish(write(_BlockEnd("failed", failure=Failure.of(unusable))))
            raise
        return
    is_stopped = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
    end = _BlockEnd("cancelled" if is_stopped else "failed", failure=Failure.of(error))
    try:
        try:
            await _finish(write(end._replace(metadata=metadata)))
        except PayloadError as unusable:
            error.add_note(f"The tracker could not record its metadata: {unusable}")
            await _finish(write(end))
    except Exception as failure:  # noqa: BLE001 - whatever it is, the program's own exception goes on its way
        error.add_note(f"The tracker could not record this: {failure}")


async def _finish(recording: EndWrite) -> None:
    """Await something to its end, also when this task is cancelled meanwhile."""
    saving = asyncio.create_task(recording)
    try:
        await asyncio.shield(saving)
    except asyncio.CancelledError as cancelled:
        await asyncio.wait([saving])
        if (failure := saving.exception()) is not None:
            cancelled.add_note(f"The tracker could not record this: {failure}")
        raise
