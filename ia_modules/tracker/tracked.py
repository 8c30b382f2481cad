"""``@tracked``: calls of a function on record, whatever program it is a part of, and nothing else about it changed.

    @tracked
    def load(day): ...

    @tracked
    def main():
        return [load(day) for day in ("mon", "tue")]

The outermost call is an execution, those inside of it are its steps, those inside of them are within these. It only
records: nothing is skipped, repeated, converted or waited for, and what cannot be recorded is said once in the log.
"""

import functools
import inspect
import sys
import time
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar, cast, overload

from ia_modules.errors import InvalidArgument
from ia_modules.likeness import likeness_of, type_name
from ia_modules.models import JsonText
from ia_modules.payload import check_id, encode
from ia_modules.place import Place, Recorder, here, recorder_of
from ia_modules.tracker.calls import CallBegan, CallEnded, CallLog, TrackedCall
from ia_modules.tracker.program import is_child_process, program_recorder, say_child_once, say_once
from ia_modules.tracker.writer import ExecutionWriter
from ia_modules.transitions import Failure

F = TypeVar("F", bound=Callable[..., Any])

_running: ContextVar[TrackedCall | None] = ContextVar("tracked_call", default=None)
"""The innermost call that this code is a part of."""


@overload
def tracked(function: F, /) -> F: ...
@overload
def tracked(*, name: str | None = None, record_input: bool = True, record_output: bool = True) -> Callable[[F], F]: ...
def tracked(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    record_input: bool = True,
    record_output: bool = True,
) -> Any:
    """Record each call of a function: plain, ``async``, a generator or an async generator, of any program.

    The outermost call is an execution of the pipeline of the function's name, in the database that ``DATABASE_URL``
    names (else ``ia_modules.db`` in the current folder). A call inside of it, or inside of anything else that is
    recorded in this process, is a step there. A thread of one's own begins anew, unless ``current.carry`` takes the
    place along; a child process records nothing.

    The function gets and gives its own objects, and raises its own exceptions. Of arguments and result a likeness is
    kept (:mod:`ia_modules.likeness`): what is not JSON as the name of its type. Nothing that goes wrong with the
    recording reaches the program; a warning of the logger ``ia_modules.tracker`` says it, once for each kind.

    Args:
        name: of the pipeline or the step; None: the function's.
        record_input, record_output: False: its arguments, or its result, are not kept.

    Raises:
        InvalidArgument: what is decorated is no function.
        PayloadError: the name is none that can be stored.
    """
    if function is None:
        return functools.partial(_tracked, name=name, record_input=record_input, record_output=record_output)
    return _tracked(function, name=name, record_input=record_input, record_output=record_output)


class _TrackedFunction(NamedTuple):
    """What is recorded of a function's calls."""

    name: str
    signature: inspect.Signature | None
    metadata: JsonText
    record_input: bool
    record_output: bool


def _tracked(function: Any, *, name: str | None, record_input: bool, record_output: bool) -> Any:
    kind = type_name(function)
    if not callable(function) or kind in ("type", "classmethod", "property") or inspect.isclass(function):
        raise InvalidArgument("@tracked", f"a {kind}", "a function; below @classmethod and @property, not above")
    own = check_id(name or getattr(function, "__name__", type(function).__name__), "name of a tracked function")
    place = f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', own)}"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some that are built in
        signature = None
    recorded = _TrackedFunction(own, signature, encode({"function": place}, "metadata"), record_input, record_output)
    for is_one, wrapped in (
        (inspect.isasyncgenfunction, _async_generator),
        (inspect.isgeneratorfunction, _generator),
        (inspect.iscoroutinefunction, _coroutine),
    ):
        if is_one(function):
            return wrapped(function, recorded)
    return _plain(function, recorded)


def _plain(function: Callable[..., Any], recorded: _TrackedFunction) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        running = _begin(recorded, args, kwargs)
        if running is None:
            return function(*args, **kwargs)
        try:
            with _InsideCall(running):
                result = function(*args, **kwargs)
        except BaseException as error:
            _end(recorded, running, error)
            raise
        _end(recorded, running, None, result)
        return result

    return call


def _coroutine(function: Callable[..., Any], recorded: _TrackedFunction) -> Any:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        running = _begin(recorded, args, kwargs)
        if running is None:
            return await function(*args, **kwargs)
        try:
            with _InsideCall(running):
                result = await function(*args, **kwargs)
        except BaseException as error:
            _end(recorded, running, error)
            raise
        _end(recorded, running, None, result)
        return result

    return call


def _generator(function: Callable[..., Any], recorded: _TrackedFunction) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        running = _begin(recorded, args, kwargs)
        generator: Generator[Any, Any, Any] = function(*args, **kwargs)
        if running is None:
            return (yield from generator)
        step: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with _InsideCall(running):
                    value = step()
            except StopIteration as stop:
                _end(recorded, running, None, stop.value)
                return stop.value
            except BaseException as error:
                _end(recorded, running, error)
                raise
            try:
                step = functools.partial(generator.send, (yield value))
            except BaseException as thrown:  # noqa: BLE001 - it is the generator's to handle, GeneratorExit too
                step = functools.partial(generator.throw, thrown)

    return call


def _async_generator(function: Callable[..., Any], recorded: _TrackedFunction) -> Any:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        running = _begin(recorded, args, kwargs)
        generator: AsyncGenerator[Any, Any] = function(*args, **kwargs)
        coming: Any = _first_of(generator)
        while True:
            try:
                with _InsideCall(running) if running is not None else nullcontext():
                    value = await coming
            except StopAsyncIteration:
                _end(recorded, running, None)
                return
            except BaseException as error:
                _end(recorded, running, error)
                raise
            try:
                coming = generator.asend((yield value))
            except BaseException as thrown:  # noqa: BLE001 - it is the generator's to handle, GeneratorExit too
                coming = generator.athrow(thrown)

    return call


def _first_of(generator: AsyncGenerator[Any, Any]) -> Any:
    """Its first step. It is closed by the one that is recorded around it, and not by the loop as well."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


class _InsideCall:
    """Where a call's own code runs: not where its caller goes on meanwhile."""

    __slots__ = ("_call", "_place", "_running")

    def __init__(self, call: TrackedCall) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._running, self._place = _running.get(), here.get()
        _running.set(self._call)
        if self._call.place is not self._place:
            here.set(self._call.place)

    def __exit__(self, *_: object) -> None:
        """Not reset by tokens: a generator that is left behind may be closed in another context."""
        if _running.get() is self._call:
            _running.set(self._running)
        if self._call.place is not self._place and here.get() is self._call.place:
            here.set(self._place)


def _begin(recorded: _TrackedFunction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TrackedCall | None:
    """The call, reported; None: it is not recorded."""
    try:
        call = _new_call(recorded)
        if call is None or call.log.has_failed:
            return call
        at = time.monotonic()
        arguments = _arguments(recorded, args, kwargs) if recorded.record_input else None
        call.log.report(CallBegan(call, at, arguments))
        return call
    except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
        say_once(error)
        return None


def _new_call(recorded: _TrackedFunction) -> TrackedCall | None:
    if is_child_process():
        say_child_once()
        return None
    place, parent = here.get(), _running.get()
    while parent is not None and parent.has_ended:
        if parent.is_program and parent.place is place:
            place = None
        parent = parent.parent
    if parent is not None and place is not None and parent.place is place:
        return TrackedCall(parent.log, recorded.name, parent, place)
    if place is None:
        return program_recorder().begin(recorded.name, recorded.metadata)
    log = _log_at(place)
    return None if log is None else TrackedCall(log, recorded.name, None, place)


def _log_at(place: Place) -> CallLog | None:
    """What writes calls in a run that something else records; None: nothing that could."""
    recorder = recorder_of(place.execution_id)
    if recorder is None or not isinstance(recorder.journal, ExecutionWriter):
        return None
    if recorder.calls is None:
        recorder.calls = _new_log(place, recorder, recorder.journal)
    return cast("CallLog", recorder.calls)


def _new_log(place: Place, recorder: Recorder, tracker: ExecutionWriter) -> CallLog:
    async def itself() -> ExecutionWriter:
        return tracker

    return CallLog(place.execution_id, recorder.loop, itself, on_failure=say_once, behind=tracker.behind)


def _arguments(recorded: _TrackedFunction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> JsonText:
    try:
        if recorded.signature is None:
            raise TypeError
        arguments: dict[str, Any] = recorded.signature.bind(*args, **kwargs).arguments
    except TypeError:  # which the function will say itself
        arguments = {"args": args, "kwargs": kwargs}
    return encode(likeness_of(arguments), "arguments")


def _end(recorded: _TrackedFunction, call: TrackedCall | None, error: BaseException | None, result: Any = None) -> None:
    if call is None:
        return
    call.has_ended = True
    try:
        status, failure, output = "completed", None, None
        if error is not None:
            status, failure = _end_by(error)
        elif recorded.record_output and result is not None:
            output = encode(likeness_of(result), "result")
        call.log.report(CallEnded(call, time.monotonic(), status, output, failure))
    except Exception as wrong:  # noqa: BLE001 - whatever it is, the program goes on
        say_once(wrong)


def _end_by(error: BaseException) -> tuple[str, Failure | None]:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "completed", None
    if isinstance(error, GeneratorExit):
        return "cancelled", Failure(type="GeneratorExit", message="It was closed before its end.")
    return "cancelled" if isinstance(error, CancelledError | KeyboardInterrupt) else "failed", Failure.of(error)
