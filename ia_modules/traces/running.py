"""The trace that running code stands in: taken from whoever begins an execution, handed on to whatever its steps call.

Without OpenTelemetry a ``traceparent`` is only handed on; with it (``ia_modules.traces.otel``) each attempt has a span.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from ia_modules.models import ExecutionId, StepExecutionId
from ia_modules.traces.ids import Traceparent

Leave = Callable[[], None]
"""Ends what was entered, where the code that left it is still in it."""


class RunTrace(Protocol):
    """The trace of one execution, for the code that runs in it. All of it may be used from any thread."""

    def traceparent(self, id_: ExecutionId | StepExecutionId) -> str:
        """What others are handed, so that what they do stands below this execution or attempt."""
        ...

    def enter(self, id_: ExecutionId | StepExecutionId, name: str) -> Leave:
        """From here on, in this task or thread and those made of it, the code of an execution or of an attempt runs."""
        ...


class TraceSource(Protocol):
    """What makes the traces of executions."""

    def of(self, execution_id: ExecutionId, traceparent: str | None) -> RunTrace:
        """That of an execution; ``traceparent``: what it was begun in, as it is on record."""
        ...


class HandedOn(RunTrace):
    """The trace that an execution was begun in, where nothing here writes spans: it is handed on as it came."""

    def __init__(self, traceparent: str) -> None:
        self._traceparent = traceparent

    def traceparent(self, id_: ExecutionId | StepExecutionId) -> str:
        return self._traceparent

    def enter(self, id_: ExecutionId | StepExecutionId, name: str) -> Leave:
        before = _outside.get()
        _outside.set(self._traceparent)

        def leave() -> None:
            if _outside.get() == self._traceparent:
                _outside.set(before)

        return leave


def run_trace(source: TraceSource | None, execution_id: ExecutionId, traceparent: str | None) -> RunTrace | None:
    """The trace of an execution that runs here; None: it has none."""
    if source is not None:
        return source.of(execution_id, traceparent)
    return None if traceparent is None else HandedOn(traceparent)


@contextmanager
def begun_in(traceparent: str | None) -> Generator[None]:
    """What begins in this block stands in the trace that this header names; in none where it is None or not valid.

    Where OpenTelemetry has a current span, that is taken without this.
    """
    parent = Traceparent.read(traceparent)
    token = _outside.set(None if parent is None else parent.text)
    try:
        yield
    finally:
        _outside.reset(token)


def outer_traceparent() -> str | None:
    """What an execution that begins here stands in: what was named, else the current span; None: nothing."""
    if (named := _outside.get()) is not None:
        return named
    api: Any = sys.modules.get("opentelemetry.trace")  # where nobody has imported it, there is no span
    if api is None:
        return None
    context = api.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return Traceparent(context.trace_id, context.span_id, bool(context.trace_flags.sampled)).text


_outside: ContextVar[str | None] = ContextVar("traceparent", default=None)
