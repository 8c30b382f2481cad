"""``--traces``: what the executions of this process are written to as spans of OpenTelemetry."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import typer

from ia_modules.cli.output.terminal import not_started
from ia_modules.payload import clean_text
from ia_modules.pipeline.services import ServicesFactory, entered
from ia_modules.pipeline.step_modules import StepModules
from ia_modules.traces.ids import Traceparent

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from ia_modules.traces.otel import Traces

TRACES_VARIABLE = "IA_MODULES_TRACES"

TracesTo = Annotated[
    str | None,
    typer.Option(
        "--traces",
        metavar="EXPORTER|MODULE:NAME",
        envvar=TRACES_VARIABLE,
        help="Write executions as spans of OpenTelemetry: by an exporter that is installed (otlp, console, ...), which "
        "takes its own settings from OTEL_* variables; or to the TracerProvider that a function or a context manager "
        "gives.",
    ),
]
TracePayloads = Annotated[
    bool,
    typer.Option(
        "--trace-payloads",
        envvar="IA_MODULES_TRACE_PAYLOADS",
        help="With --traces: inputs, outputs and messages of errors are in spans, too.",
    ),
]
PageUrl = Annotated[
    str | None,
    typer.Option(
        "--page-url",
        metavar="URL",
        envvar="IA_MODULES_PAGE_URL",
        help="With --traces: where people find the pages; each span has the address of its execution's.",
    ),
]
TraceUrl = Annotated[
    str | None,
    typer.Option(
        "--trace-url",
        metavar="URL",
        envvar="IA_MODULES_TRACE_URL",
        help="Where people find traces, with {trace_id} in it: the page of an execution links to its own.",
    ),
]


def _checked_header(context: typer.Context, parameter: typer.CallbackParam, text: str | None) -> str | None:
    """What a person has written must be one; in the environment, as in a request, what is none is ignored."""
    source = context.get_parameter_source(parameter.name or "")
    if source is not None and source.name == "COMMANDLINE" and Traceparent.read(text) is None:
        example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        raise typer.BadParameter(f"found {(text or '')[:80]!r}; expected the header of a span, such as {example}.")
    return text


BegunIn = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        envvar="TRACEPARENT",
        callback=_checked_header,
        help="The span that this begins in, as the header of that name has it (W3C Trace Context).",
    ),
]

_GROUP = "opentelemetry_traces_exporter"
_OF_OTLP = ("otlp", "otlp_proto_http", "otlp_proto_grpc")
_INSTALL = "Install: pip install 'ia_modules[otel]'"


class TraceOptions(NamedTuple):
    """What was said of traces; ``factory``: what gives the provider."""

    name: str
    factory: ServicesFactory
    payloads: bool
    page_url: str | None


def trace_options(to: str | None, *, payloads: bool, page_url: str | None) -> TraceOptions | None:
    """What is to be done; None: no traces are written.

    Raises:
        Exit: what is named is not there, or cannot be used.
    """
    if to is None:
        return None
    if page_url is not None:
        _web_address(page_url, "--page-url", "https://runs.example.com")
    try:
        import_module("ia_modules.traces.otel")
    except ModuleNotFoundError as missing:
        raise not_started(f"{missing.name} is not installed, which --traces needs. {_INSTALL}") from None
    factory = _named(to) if ":" in to else _exporting(to)
    return TraceOptions(to, factory, payloads, page_url)


def trace_template(text: str | None) -> str | None:
    """The address of traces, with ``{trace_id}`` in it.

    Raises:
        Exit: it is none.
    """
    if text is None:
        return None
    example = "https://traces.example.com/trace/{trace_id}"
    _web_address(text, "--trace-url", example)
    if "{trace_id}" not in text:
        raise not_started(f"--trace-url {text} has no {{trace_id}}. Expected such as {example}.")
    return text


@asynccontextmanager
async def opened_traces(options: TraceOptions | None) -> "AsyncGenerator[Traces | None]":
    """What writes traces until the block ends; the provider is shut down then, which hands on what it has.

    Raises:
        Exit: it could not be made.
    """
    if options is None:
        yield None
        return
    from opentelemetry.sdk.trace import TracerProvider

    from ia_modules.traces.otel import Traces

    async with AsyncExitStack() as opened:
        try:
            provider = await opened.enter_async_context(entered(options.factory))
        except Exception as error:
            reason = f"{type(error).__name__}: {clean_text(error)}"
            raise not_started(f"The traces of {options.name} could not be made: {reason}") from error
        if not isinstance(provider, TracerProvider):
            found = f"gives a value of type {type(provider).__name__}"
            raise not_started(f"--traces {options.name} {found}. Expected opentelemetry.sdk.trace.TracerProvider.")
        yield Traces(provider, page_url=options.page_url, payloads=options.payloads)
        await asyncio.to_thread(provider.shutdown)


def _named(name: str) -> ServicesFactory:
    module, _, attribute = name.partition(":")
    expected = "Expected MODULE:NAME of a function or a context manager that gives a TracerProvider"
    try:
        factory = StepModules().attribute(module, attribute)
    except (LookupError, ValueError) as error:
        raise not_started(f"--traces {name} cannot be used: {error.args[0]}. {expected}.") from None
    if not callable(factory):
        raise not_started(f"--traces {name} is of type {type(factory).__name__}. {expected}.")
    return factory


def _exporting(name: str) -> "Callable[[], TracerProvider]":
    """What makes a provider that exports as the environment says."""
    installed = {each.name: each for each in entry_points(group=_GROUP)}
    entry = next((installed[each] for each in (_OF_OTLP if name == "otlp" else (name,)) if each in installed), None)
    if entry is None:
        advice = "pip install opentelemetry-exporter-otlp-proto-http" if name == "otlp" else "the package that has it"
        known = ", ".join(sorted({"otlp", *installed})) if name != "otlp" else ", ".join(sorted(installed)) or "none"
        raise not_started(f"--traces {name}: no such exporter is installed ({known}). Install {advice}.")

    def make() -> "TracerProvider":
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from ia_modules.traces.otel import ExecutionIds

        exporter: Any = entry.load()
        named = Resource.create()
        is_unnamed = str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
        resource = named.merge(Resource({SERVICE_NAME: "ia_modules"})) if is_unnamed else named
        provider = TracerProvider(resource=resource, id_generator=ExecutionIds(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter()))
        return provider

    return make


def _web_address(text: str, option: str, example: str) -> None:
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise not_started(f"{option} {text} is no address of the web. Expected such as {example}.")
