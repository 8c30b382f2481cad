import contextvars

from opentelemetry import context as contexts
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from ia_modules.models import ExecutionId, StepExecutionId, new_id
from ia_modules.traces.ids import Traceparent, span_id_of
from ia_modules.traces.running import begun_in, outer_traceparent, run_trace
from tests.unit.traces.collecting import Collector

OUTER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_what_begins_in_a_block_stands_in_what_it_names_and_nothing_else_does() -> None:
    assert outer_traceparent() is None
    with begun_in(OUTER):
        assert outer_traceparent() == OUTER
        with begun_in("none"):
            assert outer_traceparent() is None
        assert outer_traceparent() == OUTER
    assert outer_traceparent() is None


def test_the_current_span_is_taken_where_nothing_is_named() -> None:
    def look() -> None:
        span = NonRecordingSpan(SpanContext(7, 8, is_remote=False))
        contexts.attach(set_span_in_context(span))
        assert outer_traceparent() == Traceparent(7, 8, is_sampled=False).text
        with begun_in(OUTER):
            assert outer_traceparent() == OUTER

    contextvars.Context().run(look)


def test_without_anything_that_writes_spans_what_came_is_handed_on() -> None:
    execution_id, attempt = ExecutionId(new_id()), StepExecutionId(new_id())
    assert run_trace(None, execution_id, None) is None
    trace = run_trace(None, execution_id, OUTER)
    assert trace is not None
    assert trace.traceparent(attempt) == OUTER
    leave = trace.enter(attempt, "step")
    assert outer_traceparent() == OUTER
    leave()
    assert outer_traceparent() is None


def test_what_is_left_in_another_context_leaves_that_as_it_is() -> None:
    execution_id, attempt = ExecutionId(new_id()), StepExecutionId(new_id())
    trace = run_trace(Collector().traces, execution_id, None)
    assert trace is not None
    leave = trace.enter(attempt, "step")
    entered = outer_traceparent()
    assert entered == Traceparent(int(execution_id.replace("-", ""), 16), span_id_of(attempt), is_sampled=True).text
    with begun_in(OUTER):
        contextvars.Context().run(leave)
    assert outer_traceparent() == entered
    leave()
    assert outer_traceparent() is None
