"""Recording somebody else's program: ``async with tracker.execution(...) as execution, execution.step(...) as step``.

How a block ends is what is recorded: well, with an exception, or cancelled. The exception itself goes on its way; when
it could not be recorded it carries a note that says so.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from ia_modules.errors import InvalidArgument, PayloadError
from ia_modules.models import Effect, ExecutionId, Json, LogLevel, StepExecutionId
from ia_modules.payload import clean_text
from ia_modules.tracker.writer import ExecutionWriter
from ia_modules.transitions import Failure, StepUpdate, Transition

EndWrite = Coroutine[None, None, bool]
RecordedId = TypeVar("RecordedId", ExecutionId, StepExecutionId)


class RecordedExecution:
    """A program that is being recorded.

    Attributes:
        id: the execution's id, from the beginning of the block.
        output: set this to what the program results in.
    """

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
        self.id = ExecutionId("")
        self.output: Json = None
        self._tracker = tracker
        self._pipeline_id = pipeline_id
        self._pipeline_name = pipeline_name
        self._input_data = input_data
        self._total_steps = total_steps
        self._metadata = metadata

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

        ``effect``: what it does outside; None: not said.
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
        )

    async def log(self, message: str, *, level: LogLevel | str = LogLevel.INFO, data: Json = None) -> None:
        """Keep a line of text at the execution."""
        await self._tracker.log(self.id, message, level=level, data=data)

    async def __aenter__(self) -> Self:
        starting = self._tracker.start_execution(
            self._pipeline_id, self._pipeline_name, self._input_data, self._total_steps, self._metadata
        )
        self.id = await _begin(starting, self._end)
        return self

    def _end(self, execution_id: ExecutionId, status: str, output: Json, failure: Failure | None) -> EndWrite:
        return self._tracker.update_execution_status(execution_id, status, output_data=output, failure=failure)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await _record_end(partial(self._end, self.id), self.output, error)


class RecordedStep:
    """A step that is being recorded.

    Attributes:
        id: the id of this attempt, from the beginning of the block.
        output: set this to what the step results in.
    """

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
    ) -> None:
        self.id = StepExecutionId("")
        self.output: Json = None
        self._tracker = tracker
        self._execution_id = execution_id
        self._step_id = step_id
        self._name = name
        self._type = step_type
        self._input_data = input_data
        self._metadata = metadata
        self._effect: Effect | None = effect

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
        starting = self._tracker.start_step_execution(
            self._execution_id,
            self._step_id,
            self._name,
            self._type,
            self._input_data,
            self._metadata,
            effect=self._effect,
        )
        self.id = await _begin(starting, self._end)
        return self

    def _end(self, attempt: StepExecutionId, status: str, output: Json, failure: Failure | None) -> EndWrite:
        return self._tracker.complete_step_execution(attempt, status, output, failure=failure)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await _record_end(partial(self._end, self.id), self.output, error)


async def _begin(
    starting: Coroutine[None, None, RecordedId], end: Callable[[RecordedId, str, Json, Failure | None], EndWrite]
) -> RecordedId:
    """The id of what begins. If the caller is cancelled meanwhile, the end is recorded too."""
    task = asyncio.create_task(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancelled:
        await asyncio.wait([task])
        if task.exception() is None:
            await _record_end(partial(end, task.result()), None, cancelled)
        raise


async def _record_end(
    end: Callable[[str, Json, Failure | None], EndWrite], output: Json, error: BaseException | None
) -> None:
    """Record how a block ended, even if cancelled meanwhile.

    A result that cannot be stored is a failure. An exception that is under way is never replaced by one from here.
    """
    if error is None:
        try:
            await _finish(end("completed", output, None))
        except PayloadError as unusable:
            await _finish(end("failed", None, Failure.of(unusable)))
            raise
        return
    status = "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"
    try:
        await _finish(end(status, None, Failure.of(error)))
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
