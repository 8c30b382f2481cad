"""Calls of tracked functions, written behind the program: it reports them from any thread and waits for nothing.

    thread of the program ──began, ended──→ CallLog of the execution ──on the loop of its tracker──→ many in one commit

Each event carries its time, so the times on record are those of the calls and not those of the writing.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

from ia_modules.errors import AlreadyFinished, NestingTooDeep, StepExecutionNotFound
from ia_modules.models import (
    ExecutionId,
    ExecutionStatus,
    JsonText,
    PipelineId,
    RunPath,
    StepExecutionId,
    StepStatus,
    WorkerId,
    new_id,
)
from ia_modules.paths import GRAPH, not_too_deep, path_of
from ia_modules.place import Place
from ia_modules.tasks import background
from ia_modules.transitions import (
    ExecutionUpdate,
    Failure,
    Recorded,
    StepStart,
    StepUpdate,
    Transition,
)

EVENTS_LIMIT = 20_000
"""How many events wait to be written before the program waits for room."""

_ROOM_SECONDS = 1.0
_AT_ONCE = 400


class CallTracker(Protocol):
    """What writes calls down: a tracker."""

    owner: WorkerId

    async def write(self, transition: Transition) -> Recorded: ...

    async def start_program(
        self,
        execution_id: ExecutionId,
        pipeline_id: PipelineId,
        name: str,
        input_data: JsonText | None,
        metadata: JsonText,
        *,
        traceparent: str | None,
        age_seconds: float,
    ) -> None: ...


class TrackedCall:
    """A call of a tracked function.

    Attributes:
        parent: the call that it is a part of; None: it is outermost, or stands in a run that something else records.
        place: where its code runs.
        is_program: it is an execution of its own.
        has_ended: what begins in its context from now on is no part of it.
        path: what is recorded within it has this as ``within``; None: not known yet, or nothing can be within it.
    """

    __slots__ = ("_numbers", "has_ended", "id", "is_program", "log", "name", "parent", "path", "place")

    def __init__(
        self, log: "CallLog", name: str, parent: "TrackedCall | None", place: Place, *, is_program: bool = False
    ) -> None:
        self.id = StepExecutionId(new_id())
        self.log, self.name, self.parent = log, name, parent
        self.place, self.is_program = place, is_program
        self.has_ended = False
        self.path: RunPath | None = None
        self._numbers: dict[str, int] = {}

    def next_iteration(self, name: str) -> int:
        """Of a call within this one, where all that is within it is a call."""
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        return number


class CallBegan(NamedTuple):
    call: TrackedCall
    at: float
    input_data: JsonText | None


class CallEnded(NamedTuple):
    """``status``: as executions and steps both have it."""

    call: TrackedCall
    at: float
    status: str
    output_data: JsonText | None
    failure: Failure | None


class TrackedProgram(NamedTuple):
    """An execution that begins with an outermost call.

    Attributes:
        pipeline: the id of what it is registered under, once that is known.
        ended: called when its end is written, or cannot be.
        traceparent: the span that the call was made in; None: in none.
    """

    name: str
    metadata: JsonText
    pipeline: Callable[[], Awaitable[PipelineId]]
    ended: Callable[[], object]
    traceparent: str | None = None


class CallLog:
    """What calls of one execution report, written in its order. The first failure to write ends it."""

    def __init__(
        self,
        execution_id: ExecutionId,
        loop: asyncio.AbstractEventLoop,
        tracker: Callable[[], Awaitable[CallTracker]],
        *,
        on_failure: Callable[[BaseException], None],
        program: TrackedProgram | None = None,
        behind: "dict[ExecutionId, CallLog] | None" = None,
    ) -> None:
        """Write on a loop.

        Args:
            tracker: gives what writes, once that is there.
            on_failure: called once, when something could not be written; nothing more of the execution is then.
            program: what is recorded of the execution itself; None: somebody else records that.
            behind: where it is to stand while something that was reported is not written yet.
        """
        self.execution_id = execution_id
        self.has_failed = False
        self._has_begun = False
        self._loop, self._tracker, self._on_failure, self._program = loop, tracker, on_failure, program
        self._behind = behind
        self._events: deque[CallBegan | CallEnded | asyncio.Future[None]] = deque()
        self._is_awake = False  # set by who reports: the loop has been told
        self._is_writing = False  # set on the loop

    @property
    def is_behind(self) -> bool:
        """Whether something that was reported is not written yet."""
        return bool(self._events) or self._is_awake

    def report(self, event: CallBegan | CallEnded) -> None:
        """From any thread, also while it collects garbage: there is no lock to wait for."""
        if self.has_failed and not self._ends_program(event):
            return
        if len(self._events) >= EVENTS_LIMIT and not self._has_room():
            self._fail(TimeoutError(f"{EVENTS_LIMIT:,} events wait to be written"))
            return
        if self._behind is not None:
            self._behind[self.execution_id] = self
        self._events.append(event)
        if not self._is_awake:
            self._is_awake = True
            try:
                self._loop.call_soon_threadsafe(self._start)
            except RuntimeError as closed:
                self._fail(closed)

    async def catch_up(self) -> None:
        """Wait until all that was reported before this is written, or will not be; on the loop."""
        if self.is_behind:
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._events.append(written)
            self._start()
            await written

    def _has_room(self) -> bool:
        """Wait a little for it, but never on the loop that makes it."""
        with suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:
                return True
        give_up_at = time.monotonic() + _ROOM_SECONDS
        while len(self._events) >= EVENTS_LIMIT:
            if self.has_failed or time.monotonic() >= give_up_at:
                return False
            time.sleep(0.001)
        return True

    def _ends_program(self, event: CallBegan | CallEnded) -> bool:
        return self._has_begun and isinstance(event, CallEnded) and event.call.is_program

    def _fail(self, error: BaseException) -> None:
        if not self.has_failed:
            self.has_failed = True
            self._on_failure(error)

    # On the loop

    def _start(self) -> None:
        if not self._is_writing:
            self._is_writing = self._is_awake = True
            background(self._write(), f"calls:{self.execution_id}")

    async def _write(self) -> None:
        try:
            while self._events:
                events = [self._events.popleft() for _ in range(min(len(self._events), _AT_ONCE))]
                try:
                    await self._write_some([event for event in events if not isinstance(event, asyncio.Future)])
                except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
                    self._fail(error)
                for event in events:
                    if isinstance(event, asyncio.Future):
                        if not event.done():
                            event.set_result(None)
                    elif self._program is not None and isinstance(event, CallEnded) and event.call.is_program:
                        self._program.ended()
        finally:
            self._is_writing = self._is_awake = False
            if self._events:  # reported since the last look
                self._start()

    async def _write_some(self, events: list[CallBegan | CallEnded]) -> None:
        tracker = await self._tracker()
        batch = _CallBatch(self.execution_id, tracker, knows_numbers=self._program is not None)
        for event in events:
            call = event.call
            if self._program is not None and call.is_program:
                await batch.write()
                await self._write_program(tracker, self._program, event)
            elif self.has_failed:
                continue
            elif isinstance(event, CallBegan):
                await batch.begin(event)
            else:
                batch.end(event)
        await batch.write()

    async def _write_program(self, tracker: CallTracker, program: TrackedProgram, event: CallBegan | CallEnded) -> None:
        if isinstance(event, CallEnded):
            await tracker.write(_end_of_program(self.execution_id, tracker.owner, event))
            return
        event.call.path = GRAPH
        await tracker.start_program(
            self.execution_id,
            await program.pipeline(),
            program.name,
            event.input_data,
            program.metadata,
            traceparent=program.traceparent,
            age_seconds=_age_of(event.at),
        )
        self._has_begun = True


class _CallBatch:
    """Events of calls as transitions, which are written in one commit where nothing has to be known in between."""

    def __init__(self, execution_id: ExecutionId, tracker: CallTracker, *, knows_numbers: bool) -> None:
        self._execution_id, self._tracker, self._knows_numbers = execution_id, tracker, knows_numbers
        self._calls: list[list[TrackedCall]] = []
        self._transitions: list[Transition] = []
        self._updates: list[StepUpdate] = []
        self._starts: list[StepStart] = []
        self._begun: list[TrackedCall] = []

    async def begin(self, event: CallBegan) -> None:
        call, parent = event.call, event.call.parent
        if parent is not None and parent.path is None and not self._knows_numbers:
            await self.write()
        within = call.place.path if parent is None else parent.path
        if within is None:  # it is within what could not be recorded
            return
        try:
            not_too_deep(within)
        except NestingTooDeep:
            return
        iteration = parent.next_iteration(call.name) if parent is not None and self._knows_numbers else None
        if iteration is not None:
            call.path = path_of(within, call.name, iteration)
        self._begun.append(call)
        self._starts.append(
            StepStart(
                step_execution_id=call.id,
                step_id=call.name,
                step_name=call.name,
                step_type="task",
                within=within,
                iteration=iteration,
                worker=self._tracker.owner,
                input_data=event.input_data,
                age_seconds=_age_of(event.at),
            )
        )

    def end(self, event: CallEnded) -> None:
        if self._starts:
            self._close()
        self._updates.append(
            StepUpdate(
                step_execution_id=event.call.id,
                status=StepStatus(event.status),
                output_data=event.output_data,
                failure=event.failure,
                age_seconds=_age_of(event.at),
            )
        )

    async def write(self) -> None:
        """Write what has come together."""
        self._close()
        transitions, self._transitions = self._transitions, []
        calls, self._calls = self._calls, []
        written = await asyncio.gather(*map(self._record, transitions))
        for begun, recorded in zip(calls, written, strict=True):
            if recorded is not None and not self._knows_numbers:
                for call, iteration in zip(begun, recorded.iterations, strict=True):
                    within = call.place.path if call.parent is None else call.parent.path
                    call.path = path_of(within or GRAPH, call.name, iteration)

    def _close(self) -> None:
        if self._updates or self._starts:
            self._transitions.append(self._transition(tuple(self._updates), tuple(self._starts)))
            self._calls.append(self._begun)
            self._updates, self._starts, self._begun = [], [], []

    def _transition(self, updates: tuple[StepUpdate, ...], starts: tuple[StepStart, ...]) -> Transition:
        return Transition(execution_id=self._execution_id, writer=self._tracker.owner, updates=updates, starts=starts)

    async def _record(self, transition: Transition) -> Recorded | None:
        """Write a transition; where a call in it has ended with what it was a part of, the others without it."""
        try:
            return await self._tracker.write(transition)
        except (AlreadyFinished, StepExecutionNotFound):
            for update in transition.updates:
                with suppress(AlreadyFinished, StepExecutionNotFound):
                    await self._tracker.write(self._transition((update,), ()))
            return await self._tracker.write(self._transition((), transition.starts)) if transition.starts else None


def _end_of_program(execution_id: ExecutionId, owner: WorkerId, event: CallEnded) -> Transition:
    status = ExecutionStatus(event.status)
    change = ExecutionUpdate(
        status=status,
        output_data=event.output_data,
        failure=event.failure,
        finds_failed_step=status is ExecutionStatus.FAILED,
        age_seconds=_age_of(event.at),
    )
    return Transition(execution_id=execution_id, writer=owner, change=change)


def _age_of(at: float) -> float:
    """Seconds since then; ``at`` by the monotonic clock."""
    return max(0.0, time.monotonic() - at)
