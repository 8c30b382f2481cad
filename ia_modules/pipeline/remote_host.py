"""The other side of a remote call: loads the code, makes the attempt, and has its owner write what it says.

What a step finds around it is made of the same parts as where its execution runs: its lines, output and usage are
buffered in :class:`Notes`, what it calls within itself is an :class:`InnerLevel`. Both write to a journal that asks the
owner.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from ia_modules.errors import StepError
from ia_modules.models import JsonText, Lease, RunPath, StepExecutionRecord
from ia_modules.paths import GRAPH, path_of
from ia_modules.payload import encode
from ia_modules.pipeline.attempt import OWN_RESULT, entry_of
from ia_modules.pipeline.capture import Capture
from ia_modules.pipeline.core import StepContext
from ia_modules.pipeline.current import enter
from ia_modules.pipeline.executor import LocalExecutor, current_step, failure_of
from ia_modules.pipeline.hosted_code import CodeOfCall, HostedCode
from ia_modules.pipeline.inner import InnerLevel, InnerRecorder
from ia_modules.pipeline.notes import Notes
from ia_modules.pipeline.remote_calls import (
    AttemptBegan,
    AttemptEnded,
    BeginCall,
    CancelCall,
    CodeChanged,
    ReadTime,
    ReadWithin,
    RemoteCall,
    Reply,
    Requests,
    ToHost,
    ToOwner,
    WriteNews,
)
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.traces.running import HandedOn
from ia_modules.transitions import Transition

_ANY_SIZE = 2**62  # what is stored has a limit, which the owner knows
_AGAIN_SECONDS = 0.5


class RemoteHost:
    """Makes one attempt."""

    def __init__(
        self,
        send: Callable[[ToOwner], None],
        code: HostedCode,
        flushed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Wait for its call.

        Args:
            send: takes what the owner is told; called on the loop.
            code: of this process, which other attempts may use at the same time.
            flushed: waits until the owner will hear what it was told, even if this process dies; None: it always does.
        """
        self._flushed = flushed
        self._is_cancelled = False
        self._send, self._code = send, code
        self._requests = Requests(send)
        self._executor = LocalExecutor()
        self._making: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    def hear(self, message: ToHost) -> None:
        """Take in what the owner says."""
        match message:
            case BeginCall():
                self._making = asyncio.create_task(self._make(message.call), name=f"attempt:{message.call.step_id}")
            case CancelCall():
                self._is_cancelled = True  # at once: its code may be loaded in this moment
                self._stopping = asyncio.create_task(self.stop(), name="stop")
            case Reply():
                self._requests.hear(message)

    async def stop(self) -> None:
        """Stop the attempt; what goes on is left alone after a while, and the owner is told so."""
        if self._making is None or self._making.done():
            return
        await self._executor.stop([self._making])
        if not self._making.done():  # its code goes on, and nobody waits for it
            self._send(AttemptEnded(is_clean=False))

    async def _make(self, call: RemoteCall) -> None:
        result = failure = None
        try:
            code = await self._code.loaded(call)
            if self._is_cancelled:
                raise asyncio.CancelledError
            if isinstance(code, CodeChanged):
                self._send(code)
                return
            result = await self._made(call, code)
        except asyncio.CancelledError:
            pass
        except BaseException as left:  # noqa: BLE001 - user code: whatever it raises is the step's failure
            failure = RemoteFailure.of(failure_of(call.step_id, left))
        is_clean = not self._executor.abandoned
        self._send(AttemptEnded(result, failure, is_clean=is_clean, is_spent=self._code.is_spent))

    async def _made(self, call: RemoteCall, code: CodeOfCall) -> JsonText:
        """What the code gives; what it has logged, used and called is on record then, also where it fails."""
        loop, lease = asyncio.get_running_loop(), Lease(call.execution_id, 0)  # the owner's stands in its place
        trace = None if call.traceparent is None else HandedOn(call.traceparent)
        recorder = InnerRecorder(
            _OwnersJournal(self._requests, call.worker), lease, self._executor, random.random, loop, call.capture, trace
        )
        notes = Notes(call.step_execution_id, recorder.write_notes)
        level = InnerLevel(
            recorder,
            path_of(call.within, call.step_id, call.iteration),
            attempt=call.attempt,
            again_upto=call.again_upto,
            drops_output=call.drops_output,
        )
        context = StepContext(
            execution_id=call.execution_id,
            step_id=call.step_id,
            step_execution_id=call.step_execution_id,
            iteration=call.iteration,
            attempt=call.attempt,
            rerun_of=call.rerun_of,
            config=orjson.loads(call.config),
            services=code.services,
            keep_line=notes.keep_line,
            keep_progress=notes.keep_progress,
            keep_output=notes.keep_output,
            keep_usage=notes.keep_usage,
            within=call.within,
            item_key=call.item_key,
            inner=level,
            trace=trace,
        )
        try:
            with Capture(notes.keep_line, call.capture):
                value = await self._called(call, code, context)
            if context.own_result:
                raise StepError(call.step_id, OWN_RESULT)
            return encode(value, f"result of step {call.step_id!r}", limit_bytes=_ANY_SIZE)
        finally:
            await _write_rest(recorder, notes, level)

    async def _called(self, call: RemoteCall, code: CodeOfCall, context: StepContext) -> Any:
        step, binding = code.step, code.binding
        if not code.is_shared:
            step.services, step.context = context.services, context
        current_step.set(step)
        enter(context)
        data: Any = orjson.loads(call.data)
        self._send(AttemptBegan())
        if self._flushed is not None:
            await self._flushed()
        if call.failure is not None:
            fallback: Any = getattr(step, "fallback")  # noqa: B009 - classes may have one, or not
            return await self._execute(call, fallback, data, call.failure.as_exception())
        if binding is None:
            return await self._execute(call, entry_of(step), data)
        args, kwargs = binding.arguments(call.data, context, item=call.item)
        return await self._execute(call, partial(entry_of(step), *args, **kwargs))

    async def _execute(self, call: RemoteCall, code: Callable[..., Any], *args: Any) -> Any:
        return await self._executor.execute(call.step_id, code, *args, timeout_seconds=None)


async def _write_rest(recorder: InnerRecorder, notes: Notes, level: InnerLevel) -> None:
    """Have all written that is not yet, before the end of the attempt is told."""
    within = level.end()
    await notes.write_surplus()
    lines, progress = notes.end()
    updates = (*within, *(() if progress is None else (progress,)))
    while (lines or updates) and not await recorder.write_notes(lines, updates):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_AGAIN_SECONDS)


class _OwnersJournal:
    """The journal of the execution, by way of its owner."""

    def __init__(self, requests: Requests, owner: str) -> None:
        self._requests, self._owner = requests, owner

    @property
    def owner(self) -> str:
        return self._owner

    async def record(self, transition: Transition) -> None:
        news = transition.starts, transition.updates, transition.logs, transition.asks, transition.expires
        await self._requests.ask(lambda number: WriteNews(number, *news), type(None))

    async def get_execution_steps(self, execution_id: str, *, within: RunPath = GRAPH) -> list[StepExecutionRecord]:
        del execution_id  # there is one
        return await self._requests.ask(lambda number: ReadWithin(number, within), list[StepExecutionRecord])

    async def now(self) -> datetime:
        return await self._requests.ask(ReadTime, datetime)
