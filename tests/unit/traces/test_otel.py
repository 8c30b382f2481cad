"""What the SDK is handed; what becomes of executions on record stands in the tests of the tracker."""

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import get_current_span

from ia_modules.models import ExecutionId, StepExecutionId, new_id
from ia_modules.traces.ids import Traceparent, span_id_of, trace_id_of
from tests.unit.traces.collecting import Collector, ids_of

OUTER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_other_spans_of_the_program_have_random_ids() -> None:
    collector = Collector()
    for _ in range(2):
        with collector.provider.get_tracer("own").start_as_current_span("own"):
            pass
    assert len({ids_of(span)[0] for span in collector.spans}) == 2
    assert len({ids_of(span)[1] for span in collector.spans}) == 2


def test_the_sampler_is_asked_once_for_a_trace_and_its_word_is_handed_on() -> None:
    traces = Collector(sampler=ParentBased(ALWAYS_OFF)).traces
    execution_id, attempt = ExecutionId(new_id()), StepExecutionId(new_id())
    own, begun = traces.of(execution_id, None), traces.of(ExecutionId(new_id()), OUTER)
    assert own.traceparent(attempt) == Traceparent(trace_id_of(execution_id, None), span_id_of(attempt), False).text
    outer = Traceparent.read(OUTER)
    assert outer is not None
    assert begun.traceparent(attempt) == Traceparent(outer.trace_id, span_id_of(attempt), is_sampled=True).text


def test_with_other_ids_what_begins_has_the_span_that_is_current_then() -> None:
    collector = Collector(ids=RandomIdGenerator())
    execution_id, attempt = ExecutionId(new_id()), StepExecutionId(new_id())
    trace = collector.traces.of(execution_id, None)
    leave = trace.enter(attempt, "step")
    current = get_current_span().get_span_context()
    assert current.trace_id == trace_id_of(execution_id, None)
    assert current.span_id != span_id_of(attempt)
    assert trace.traceparent(attempt) == Traceparent(current.trace_id, current.span_id, is_sampled=True).text
    leave()
    assert not get_current_span().get_span_context().is_valid
