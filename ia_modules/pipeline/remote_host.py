"""The other side of a remote call: loads the code, makes the attempt, and has its owner write what it says.

What a step finds around it is made of the same parts as where its execution runs: its lines, output and usage are
buffered in :class:`Notes`, what it calls within itself is an :class:`InnerLevel`. Both write to a journal that asks the
owner.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from ia_modules.errors import InvalidValue, ServiceNotFound, StepError
from ia_modules.models import JsonText, Lease, RunPath, StepExecutionRecord
from ia_modules.paths import GRAPH, path_of
from ia_modules.payload import clean_text, encode
from ia_modules.pipeline.attempt import OWN_RESULT, entry_of
from ia_modules.pipeline.beside import fingerprint
from ia_modules.pipeline.binding import Binding, binding_of
from ia_modules.pipeline.capture import Capture
from ia_modules.pipeline.code import StepModules, factory_of, made_step
from ia_modules.pipeline.core import Step, StepContext
from ia_modules.pipeline.current import enter
from ia_modules.pipeline.executor import LocalExecutor, current_step, failure_of
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
    RemoteCode,
    Reply,
    Requests,
    ToHost,
    ToOwner,
    WriteNews,
)
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.pipeline.services import ServiceRegistry, made_services
from ia_modules.traces.running import HandedOn
from ia_modules.transitions import Transition

_ANY_SIZE = 2**62  # what is stored has a limit, which the owner knows
_AGAIN_SECONDS = 0.5


class _HostedCode(NamedTuple):
    """The code of a call; ``step`` None: it could not be loaded, for this reason."""

    step: Step | None
    binding: Binding | None
    error: BaseException | None


class RemoteHost:
    """Makes attempts, one at a time."""

    def __init__(self, send: Callable[[ToOwner], None], *, services: str | None) -> None:
        """Wait for a call.

        Args:
            send: takes what the owner is told; called on the loop.
            services: what makes the services of steps, as ``MODULE:NAME``; None: there are none.
        """
        self._send, self._named = send, services
        self._requests = Requests(send)
        self._making: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._executor = LocalExecutor()
        self._modules: dict[tuple[str | None, tuple[str, ...] | None], StepModules] = {}
        self._services = ServiceRegistry()
        self._failed: BaseException | None = None  # to make the services
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Make the services; where that fails, so does every attempt."""
        if self._named is not None:
            module, _, name = self._named.partition(":")
            try:
                make = StepModules().attribute(module, name)
                self._services = await self._opened.enter_async_context(made_services(make))
            except BaseException as left:  # noqa: BLE001 - user code, in a process that has nothing else to do
                self._failed = left
        return self

    async def __aexit__(self, *left: object) -> None:
        await self._stop()
        await self._opened.aclose()

    def hear(self, message: ToHost) -> None:
        """Take in what the owner says."""
        match message:
            case BeginCall():
                self._making = asyncio.create_task(self._make(message.call), name=f"attempt:{message.call.step_id}")
            case CancelCall():
                self._stopping = asyncio.create_task(self._stop(), name="stop")
            case Reply():
                self._requests.hear(message)

    async def _stop(self) -> None:
        if self._making is None or self._making.done():
            return
        await self._executor.stop([self._making])
        if not self._making.done():  # its code goes on, and nobody waits for it
            self._send(AttemptEnded(is_clean=False))

    async def _make(self, call: RemoteCall) -> None:
        result = failure = None
        try:
            modules = self._modules_of(call.code)
            loaded = self._loaded(call, modules)
            if (module := _changed(call, modules)) is not None:
                self._send(CodeChanged(module))
                return
            result = await self._made(call, loaded)
        except asyncio.CancelledError:
            pass
        except BaseException as left:  # noqa: BLE001 - user code: whatever it raises is the step's failure
            failure = RemoteFailure.of(failure_of(call.step_id, left))
        self._send(AttemptEnded(result, failure, is_clean=not self._executor.abandoned))

    # The code

    def _modules_of(self, code: RemoteCode) -> StepModules:
        place = (code.folder, code.allowed)
        if place not in self._modules:  # held, so that what is loaded stays so
            folder = None if code.folder is None else Path(code.folder)
            self._modules[place] = StepModules(folder, allowed=code.allowed)
        return self._modules[place]

    def _loaded(self, call: RemoteCall, modules: StepModules) -> _HostedCode:
        code, config = call.code, orjson.loads(call.config)
        try:
            factory = factory_of(modules.code(code.module, code.name))
            function = getattr(factory, "code", None)
            binding = None
            if function is not None:
                binding = binding_of(function, inputs=code.inputs, parameters=code.parameters)
            return _HostedCode(made_step(factory, call.step_id, config), binding, None)
        except (LookupError, TypeError, InvalidValue) as wrong:
            what = f"its code cannot be loaded in a process of its own: {clean_text(wrong.args[0])}"
            return _HostedCode(None, None, StepError(call.step_id, what))
        except StepError as error:
            return _HostedCode(None, None, error)

    # The attempt

    async def _made(self, call: RemoteCall, loaded: _HostedCode) -> JsonText:
        """What the code gives; what it has logged, used and called is on record then, also where it fails."""
        if loaded.step is None:
            assert loaded.error is not None
            raise loaded.error
        if self._failed is not None:
            reason = f"{type(self._failed).__name__}: {clean_text(self._failed)}"
            raise StepError(
                call.step_id, f"the services of {self._named} could not be made: {reason}"
            ) from self._failed
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
            services=_RemoteServices(self._services, call.step_id),
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
                value = await self._called(call, loaded.step, loaded.binding, context)
            if context.own_result:
                raise StepError(call.step_id, OWN_RESULT)
            return encode(value, f"result of step {call.step_id!r}", limit_bytes=_ANY_SIZE)
        finally:
            await _write_rest(recorder, notes, level)

    async def _called(self, call: RemoteCall, step: Step, binding: Binding | None, context: StepContext) -> Any:
        step.services, step.context = context.services, context
        current_step.set(step)
        enter(context)
        data: Any = orjson.loads(call.data)
        self._send(AttemptBegan())
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


def _changed(call: RemoteCall, modules: StepModules) -> str | None:
    """A module that is not here what it is where the call comes from; None: all are."""
    here = {} if modules.generation is None else fingerprint(modules.generation)
    return next((name for name, digest in call.fingerprint.items() if here.get(name, digest) != digest), None)


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


_ONLY_MADE_HERE = (
    "Step {step_id!r} runs in a process of its own, where only the services are that --services MODULE:NAME makes: no "
    "object of the program that runs its execution, and no tracker."
)


class _RemoteServices(ServiceRegistry):
    """The services that were made here. Those of the program that runs the execution are objects, and stay there."""

    def __init__(self, services: ServiceRegistry, step_id: str) -> None:
        super().__init__({name: services[name] for name in services})
        self._step_id = step_id

    def __getitem__(self, name: str) -> Any:
        try:
            return super().__getitem__(name)
        except ServiceNotFound as missing:
            missing.args = (f"{missing} {_ONLY_MADE_HERE.format(step_id=self._step_id)}",)
            raise
