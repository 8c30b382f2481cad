"""A provider whose spans stay in memory, and what tests ask of them."""

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from ia_modules.models import ExecutionId, StepExecutionId
from ia_modules.traces.ids import span_id_of
from ia_modules.traces.otel import ExecutionIds, Traces


class Collector:
    """What has been exported.

    Attributes:
        traces: what writes into it.
    """

    def __init__(
        self,
        *,
        ids: IdGenerator | None = None,
        sampler: Sampler | None = None,
        page_url: str | None = None,
        payloads: bool = False,
    ) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(id_generator=ids or ExecutionIds(), sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = Traces(self.provider, page_url=page_url, payloads=payloads)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def of(self, id_: ExecutionId | StepExecutionId) -> ReadableSpan:
        """The one span of an execution or of an attempt."""
        (span,) = [span for span in self.spans if ids_of(span)[1] == span_id_of(id_)]
        return span

    def parents(self) -> dict[str, str | None]:
        """The name of the parent of each, by names; None: it is not among these. Names are not unique? It fails."""
        names = {ids_of(span)[1]: span.name for span in self.spans}
        assert len(set(names.values())) == len(self.spans)
        return {span.name: None if span.parent is None else names.get(span.parent.span_id) for span in self.spans}


def ids_of(span: ReadableSpan) -> tuple[int, int]:
    """Its trace and itself."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id
