"""Traces of executions by OpenTelemetry's SDK: ``pip install 'ia-modules[otel]'``.

provider = TracerProvider(id_generator=ExecutionIds())
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
async with ExecutionTracker(database, traces=Traces(provider)) as tracker:
    ...

A span is written when its row has ended, with the times of the row. With :class:`ExecutionIds` its id is made of that
of the row, so that whoever goes on with an execution goes on with its trace. With another generator span ids are the
SDK's: what runs here has its span from its beginning on, and what another process ran is named by links.
"""

from collections import OrderedDict
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import datetime
from typing import NamedTuple

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from ia_modules.models import ExecutionId, StepExecutionId
from ia_modules.traces.ids import Traceparent, span_id_of, trace_id_of
from ia_modules.traces.running import Leave, RunTrace
from ia_modules.traces.spans import SpanFacts, TracedAttempt, TracedExecution, attempt_span, execution_span
from ia_modules.version import __version__

_REMEMBERED = 10_000
"""Of so many executions it is remembered whether their traces are recorded, and so many spans are open at most."""

_FLUSH_MILLISECONDS = 10_000


class _Planned(NamedTuple):
    trace_id: int
    span_id: int


_planned: ContextVar[_Planned | None] = ContextVar("planned_ids", default=None)


class ExecutionIds(RandomIdGenerator):
    """The ids of a ``TracerProvider``: of executions and attempts those made of their own ids, else random ones."""

    def generate_span_id(self) -> int:
        planned = _planned.get()
        return super().generate_span_id() if planned is None else planned.span_id

    def generate_trace_id(self) -> int:
        planned = _planned.get()
        return super().generate_trace_id() if planned is None else planned.trace_id


class Traces:
    """What writes executions as spans to a provider, which stays the caller's: nothing here shuts it down."""

    def __init__(self, provider: TracerProvider, *, page_url: str | None = None, payloads: bool = False) -> None:
        """Write to a provider.

        Args:
            page_url: where the pages are, such as ``https://runs.example.com``: each span then has the address of its
                execution's page (``ia_modules.url``).
            payloads: input, output, messages of errors and the keys of items are in attributes, too; up to 8,192
                characters of each payload. They may have what nobody else is to see.
        """
        self.payloads = payloads
        self._provider = provider
        self._page_url = None if page_url is None else page_url.rstrip("/")
        self._tracer = provider.get_tracer("ia_modules", __version__)
        self._has_own_ids = isinstance(provider.id_generator, ExecutionIds)
        self._is_sampled: OrderedDict[ExecutionId, bool] = OrderedDict()
        self._open: OrderedDict[str, Span] = OrderedDict()

    def of(self, execution_id: ExecutionId, traceparent: str | None) -> RunTrace:
        """The trace of an execution that runs here; as :class:`ia_modules.traces.running.TraceSource`."""
        return _RunningTrace(self, execution_id, traceparent)

    def write(
        self,
        execution: TracedExecution,
        attempts: Iterable[tuple[TracedAttempt, ExecutionId | StepExecutionId]],
        *,
        has_ended: bool,
        again: bool = False,
    ) -> None:
        """Write what of an execution has ended.

        Args:
            attempts: with what each stands below.
            has_ended: the execution itself is among it.
            again: as for :func:`ia_modules.traces.spans.execution_span`.
        """
        for attempt, parent in attempts:
            self._write(execution, attempt_span(attempt, parent, payloads=self.payloads, page_url=self._page_url))
        if has_ended:
            self._write(
                execution, execution_span(execution, again=again, payloads=self.payloads, page_url=self._page_url)
            )

    def flush(self) -> bool:
        """Hand on what was written; False: not within 10 seconds. It blocks: call it in a thread."""
        return self._provider.force_flush(_FLUSH_MILLISECONDS)

    # Where code runs

    def context_at(
        self, execution_id: ExecutionId, traceparent: str | None, id_: ExecutionId | StepExecutionId
    ) -> SpanContext:
        """The span of an execution or of an attempt, which may have ended, or not begun."""
        if (begun := self._open.get(id_)) is not None:
            return begun.get_span_context()
        flags = TraceFlags(TraceFlags.SAMPLED if self._samples(execution_id, traceparent) else TraceFlags.DEFAULT)
        trace_id = trace_id_of(execution_id, traceparent)
        return SpanContext(trace_id, span_id_of(id_), is_remote=True, trace_flags=flags)

    def begin(
        self, execution_id: ExecutionId, traceparent: str | None, id_: ExecutionId | StepExecutionId, name: str
    ) -> SpanContext:
        """The same of what begins now."""
        if not self._has_own_ids and id_ not in self._open:
            around = get_current_span().get_span_context()
            if id_ == execution_id or around.trace_id != trace_id_of(execution_id, traceparent):
                around = self._around(execution_id, traceparent, id_, None)
            self._begin(id_, name, around, None)
        return self.context_at(execution_id, traceparent, id_)

    def _samples(self, execution_id: ExecutionId, traceparent: str | None) -> bool:
        """Whether the trace is recorded, as the provider's sampler says of it."""
        known = self._is_sampled.get(execution_id)
        if known is None:
            parent = _remote(traceparent)
            sampled = self._provider.sampler.should_sample(
                Context() if parent is None else _of(parent), trace_id_of(execution_id, traceparent), "execution"
            )
            known = self._is_sampled[execution_id] = sampled.decision.is_sampled()
            if len(self._is_sampled) > _REMEMBERED:
                self._is_sampled.popitem(last=False)
        return known

    # What is written

    def _write(self, execution: TracedExecution, facts: SpanFacts) -> None:
        span = self._planned(execution, facts) if self._has_own_ids else self._begun(execution, facts)
        span.set_attributes(facts.attributes)
        if facts.parent is None and execution.rerun_of is not None:
            trace_id = trace_id_of(execution.rerun_of, execution.rerun_traceparent)
            repeated = SpanContext(trace_id, span_id_of(execution.rerun_of), is_remote=True)
            span.add_link(repeated, {"ia_modules.link": "rerun_of"})
        for name, attributes in facts.events:
            span.add_event(name, attributes, _nanoseconds(facts.ended_at))
        if facts.is_error:
            span.set_status(Status(StatusCode.ERROR, facts.error))
        span.end(_nanoseconds(facts.ended_at))

    def _planned(self, execution: TracedExecution, facts: SpanFacts) -> Span:
        """A span with the id that its row gives it."""
        id_, traceparent = execution.execution_id, execution.traceparent
        below = _remote(traceparent) if facts.parent is None else self.context_at(id_, traceparent, facts.parent)
        token = _planned.set(_Planned(trace_id_of(id_, traceparent), facts.span_id))
        try:
            began = _nanoseconds(facts.started_at)
            return self._tracer.start_span(facts.name, Context() if below is None else _of(below), start_time=began)
        finally:
            _planned.reset(token)

    def _begun(self, execution: TracedExecution, facts: SpanFacts) -> Span:
        """A span with an id of the SDK's: that which began with the code, or one for what did not run here."""
        id_, traceparent, began = execution.execution_id, execution.traceparent, _nanoseconds(facts.started_at)
        if facts.id_ not in self._open:
            begun = self._open.get(facts.parent or "")
            around = self._around(id_, traceparent, facts.id_, began) if begun is None else begun.get_span_context()
            span = self._begin(facts.id_, facts.name, around, began)
            if begun is None and facts.parent not in (None, id_):
                parent = self.context_at(id_, traceparent, facts.parent)
                span.add_link(parent, {"ia_modules.link": "parent"})
        span = self._open.pop(facts.id_)
        span.update_name(facts.name)
        return span

    def _around(
        self, execution_id: ExecutionId, traceparent: str | None, id_: ExecutionId | StepExecutionId, began: int | None
    ) -> SpanContext:
        """What a span stands below that has no other one here: that of its execution, which begins with it."""
        if id_ == execution_id:
            return _remote(traceparent) or self.context_at(execution_id, traceparent, id_)
        if execution_id not in self._open:
            around = self._around(execution_id, traceparent, execution_id, began)
            self._begin(execution_id, "execution", around, began)
        return self._open[execution_id].get_span_context()

    def _begin(self, id_: str, name: str, around: SpanContext, began: int | None) -> Span:
        span = self._open[id_] = self._tracer.start_span(name, _of(around), start_time=began)
        if len(self._open) > _REMEMBERED:  # what no row will end here any more
            self._open.popitem(last=False)
        return span


class _RunningTrace(RunTrace):
    """The trace of one execution, for the code that runs in it."""

    def __init__(self, traces: Traces, execution_id: ExecutionId, traceparent: str | None) -> None:
        self._traces, self._execution_id, self._traceparent = traces, execution_id, traceparent

    def traceparent(self, id_: ExecutionId | StepExecutionId) -> str:
        context = self._traces.context_at(self._execution_id, self._traceparent, id_)
        return Traceparent(context.trace_id, context.span_id, bool(context.trace_flags.sampled)).text

    def enter(self, id_: ExecutionId | StepExecutionId, name: str) -> Leave:
        before = contexts.get_current()
        span = NonRecordingSpan(self._traces.begin(self._execution_id, self._traceparent, id_, name))
        contexts.attach(set_span_in_context(span, before))

        def leave() -> None:
            """Not detached by a token: what is left behind may end in another context."""
            if get_current_span() is span:
                contexts.attach(before)

        return leave


def _of(parent: SpanContext) -> Context:
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _remote(traceparent: str | None) -> SpanContext | None:
    parent = Traceparent.read(traceparent)
    if parent is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)


def _nanoseconds(moment: datetime) -> int:
    """Since 1970; exact, to the microsecond."""
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + moment.microsecond * 1_000
