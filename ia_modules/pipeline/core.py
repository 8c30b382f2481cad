"""What the author of a step imports.

class Summarize(Step):
    async def run(self, data):
        self.context.log("reading", pages=len(data["pages"]))
        return {"summary": await self.services["llm"].summarize(data["pages"])}
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from msgspec import Struct
from msgspec import field as struct_field
from msgspec.structs import replace
from pydantic import ValidationError

from ia_modules.errors import InvalidArgument, refuse_on_loop
from ia_modules.models import (
    EFFECTS,
    GAP_LOGGER,
    SEVERITIES,
    Effect,
    ExecutionId,
    LogLevel,
    RunPath,
    StepExecutionId,
)
from ia_modules.paths import GRAPH, is_inside, path_of
from ia_modules.payload import check_id
from ia_modules.pipeline.document.retry import RetryPolicy
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.prices import SERVICE, computed_micros, listed_prices
from ia_modules.traces.running import RunTrace
from ia_modules.usage import UsageCall, installation_currency, micros_of

__all__ = ["ExecutionContext", "Inner", "PipelineStep", "ServiceRegistry", "Step", "StepContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext:
    """Facts about an execution, set by the caller that starts it.

    Attributes:
        execution_id: the caller's own id of it, any text of at most 200 characters: stored as its ``alias``, unique,
            and taken wherever an execution is named. With the same pipeline and input it stands for the execution that
            it began; with others it is refused. The row's own id stays a UUID.
        pipeline_id: the caller's own id of the pipeline; stored in the metadata.
        trigger: what started it, such as ``cli`` or ``schedule``.
        metadata: stored with the execution; JSON.
        user_id: the user who started it; stored in the metadata.
    """

    execution_id: str | None = None
    pipeline_id: str | None = None
    trigger: str = "program"
    user_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def stored_metadata(self) -> dict[str, Any]:
        """The metadata as it is stored: with ``pipeline_id`` and ``user_id``, where they are set."""
        facts = {"pipeline_id": self.pipeline_id, "user_id": self.user_id}
        return {**self.metadata, **{name: value for name, value in facts.items() if value}}


def _drop_line(level: LogLevel, message: str, data: dict[str, Any] | None) -> None:
    """Outside of a run, lines are dropped."""


def _drop_output(chunk: Any, channel: str, flush: bool) -> None:
    """Outside of a run, output is dropped."""


def _drop_usage(call: UsageCall) -> None:
    """Outside of a run, usage is dropped."""


def _drop_progress(fraction: float, message: str | None) -> None:
    """Outside of a run, progress is dropped."""


@dataclass(frozen=True, slots=True)
class Inner:
    """How a step within a step is known and made: what stands in the place of its name in ``context.step``.

    Attributes:
        name: what it is called.
        key: tells calls of one name apart whose order is not the same each time; unique among them within one run.
            None: they are numbered as they are called.
        retry: as of a step in a file; None: it is called once.
        timeout_seconds: of each call; None: no limit.
        effect: what it does outside; None: not said.
    """

    name: str
    key: str | None = None
    retry: Mapping[str, Any] | None = field(default=None, kw_only=True)
    timeout_seconds: float | None = field(default=None, kw_only=True)
    effect: Effect | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            PayloadError: name and key are no id together.
            InvalidArgument: the retry, the time or the effect is none.
        """
        check_id(self.step_id, "name of an inner step")
        where = f"of inner step {self.step_id!r}"
        if self.timeout_seconds is not None and not self.timeout_seconds > 0:
            raise InvalidArgument(f"timeout_seconds {where}", f"{self.timeout_seconds!r}"[:80], "more than 0, or None")
        if self.effect is not None and self.effect not in EFFECTS:
            raise InvalidArgument(f"effect {where}", f"{self.effect!r}"[:80], f"one of {', '.join(EFFECTS)}")
        try:
            _ = self.policy
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise InvalidArgument(f"retry {where}", wrong[:300], "the keys of retry in a pipeline file") from error

    @property
    def step_id(self) -> str:
        """What its record is called: its name, or ``name[key]``."""
        return self.name if self.key is None else f"{self.name}[{self.key}]"

    @property
    def policy(self) -> RetryPolicy | None:
        return None if self.retry is None else RetryPolicy.model_validate(self.retry)


class InnerSteps(Protocol):
    """Where the calls of :meth:`StepContext.step` go in a run."""

    def step(
        self,
        around: "StepContext",
        inner: Inner,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Coroutine[Any, Any, Any]: ...

    def call(
        self,
        around: "StepContext",
        inner: Inner,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any: ...

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]: ...


P = ParamSpec("P")
R = TypeVar("R")


class StepContext(Struct, frozen=True, kw_only=True, eq=False, weakref=True):
    """The attempt in which a step runs. All of it may be used from any thread.

    Attributes:
        within: the path of the run that this one is part of; empty for a step of the graph.
        item_key: in a map, what the item is called; None: it is none.
        rerun_of: the execution that this one repeats, of which its effects may be there already; None: it repeats none.
        config: the step's ``config`` with its placeholders filled in; a copy of this attempt's own.
        services: those of the runner; outside of a run, none.
        own_result: what :meth:`result` was given; empty: nothing.
        trace: of its execution; None: it has none.
    """

    execution_id: ExecutionId
    step_id: str
    step_execution_id: StepExecutionId
    iteration: int = 1
    attempt: int = 1
    rerun_of: ExecutionId | None = None
    config: dict[str, Any] = struct_field(default_factory=dict[str, Any])
    services: ServiceRegistry = struct_field(default_factory=ServiceRegistry)
    keep_line: Callable[[LogLevel, str, dict[str, Any] | None], None] = _drop_line
    keep_progress: Callable[[float, str | None], None] = _drop_progress
    keep_output: Callable[[Any, str, bool], None] = _drop_output
    keep_usage: Callable[[UsageCall], None] = _drop_usage
    within: RunPath = GRAPH
    item_key: str | None = None
    inner: InnerSteps | None = None
    own_result: list[Any] = struct_field(default_factory=list[Any])
    trace: RunTrace | None = None

    @property
    def path(self) -> RunPath:
        """The address of the run: what is recorded in it stands within that."""
        return path_of(self.within, self.step_id, self.iteration)

    def __repr__(self) -> str:  # without config and services: there may be secrets in them
        return f"<StepContext {self.execution_id} {self.path} attempt {self.attempt}>"

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt, so that an effect outside is made once.

        ``<execution>/<step>/<iteration>``; within a step, its path stands before the step: ``<execution>/<path>/…``,
        and in a map the key of the item at the end.
        """
        place = f"{self.execution_id}/{self.within}" if self.within else self.execution_id
        item = "" if self.item_key is None else f"/{self.item_key}"
        return f"{place}/{self.step_id}/{self.iteration}{item}"

    @property
    def traceparent(self) -> str | None:
        """The header ``traceparent`` of what this attempt sends to others, so that what they do stands below it.

        Where nothing here writes traces, it is what the execution was begun in; None: in none. Instrumented clients
        send it by themselves: the attempt is OpenTelemetry's current span.
        """
        return None if self.trace is None else self.trace.traceparent(self.step_execution_id)

    @overload
    def step(
        self, inner: str | Inner, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def step(
        self, inner: str | Inner, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def step(
        self, inner: str | Inner, function: Callable[P, AsyncIterator[Any]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, Any]: ...
    @overload
    def step(
        self, inner: str | Inner, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...
    def step(
        self, inner: str | Inner, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        """Call a function as a step within this one: ``answer = await context.step("search", search, query, limit=5)``.

        It is on record under this step. Where it has completed in an earlier attempt, its recorded result is given and
        the function is not called. Live or recorded, the result is what JSON makes of it.

        A plain ``def`` is called in a thread. What an async generator yields is emitted, and its result is as that of a
        step. Between its calls the step must be so far deterministic as to make the
        same calls again; time, random numbers and what it reads may differ. Outside of a run it just calls.

        What such a function calls in turn stands within it, whichever context it uses.

        Args:
            inner: the name of the call, or an :class:`Inner`. Calls of one name are numbered as ``step`` is called, so
                those in one ``gather`` keep their numbers; a key tells apart those whose order may change.
            args, kwargs: all of the function's own.

        Raises:
            InnerStepConflict: the call is on record for other arguments.
            StepTimeout: it took longer than its own limit.
            StepError: the step that this context is of has ended, or this is awaited on an event loop of its own.
            NestingTooDeep: nothing can be within this.
            Exception: what the function raises.
        """
        named = inner if isinstance(inner, Inner) else Inner(inner)
        around = self._innermost()
        if around.inner is None:
            return _just_called(function, args, kwargs)
        return around.inner.step(around, named, function, args, kwargs)

    @overload
    def call(
        self, inner: str | Inner, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    def call(
        self, inner: str | Inner, function: Callable[P, AsyncIterator[Any]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Any: ...
    @overload
    def call(self, inner: str | Inner, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    def call(self, inner: str | Inner, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`step`, for a plain ``def``: it waits for the result. A plain function is called in this thread.

        Raises:
            BlockingCallOnLoop: an event loop runs in this thread: await :meth:`step`.
        """
        named = inner if isinstance(inner, Inner) else Inner(inner)
        refuse_on_loop("context.call", "context.step")
        around = self._innermost()
        if around.inner is None:
            value = function(*args, **kwargs)
            return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value
        return around.inner.call(around, named, function, args, kwargs)

    async def sleep(self, seconds: float) -> None:
        """Wait. After a crash only the rest is waited; a failed or cancelled step that is made again waits anew."""
        inner = self._innermost().inner
        await (asyncio.sleep(seconds) if inner is None else inner.sleep(seconds))

    def _innermost(self) -> "StepContext":
        """The call within this run that this code is a part of, if there is one: its own calls come with it or not."""
        inside = running.get()
        if inside is None or inside.execution_id != self.execution_id or not is_inside(inside.within, self.path):
            return self
        return inside

    def log(self, message: str, level: LogLevel | str = LogLevel.INFO, **data: Any) -> None:
        """Logs a line, with values, for this attempt. It is stored at the latest when the step ends.

        Raises:
            InvalidArgument: the level is ``output``, which :meth:`emit` is for.
        """
        known = level if isinstance(level, LogLevel) else LogLevel(level)
        if known is LogLevel.OUTPUT:
            raise InvalidArgument("level", repr(str(level)), f"one of {', '.join(SEVERITIES)}; output: context.emit")
        self.keep_line(known, message, data or None)

    def emit(self, chunk: Any, channel: str = "answer", flush: bool = False) -> None:
        """Gives a piece of the step's output as it comes: a text, or any JSON, such as a call of a tool.

        Followers get it about 200 ms later, and who comes late gets all of it: it is on record with the attempt, as log
        lines of level ``output`` (:mod:`ia_modules.pipeline.kept_output`). It is no part of the result. An attempt that
        fails keeps its own; the next one begins anew.

        Args:
            channel: tells texts apart that come at the same time; 1 to 200 characters.
            flush: it is written now, and not with what comes in the next 200 ms: for the first piece.

        Raises:
            PayloadError: it is neither text nor JSON, or JSON of more than 1 MiB; or the channel is no name.
            InvalidArgument: the channel is the one that says what is left out.
        """
        if check_id(channel, "channel") == GAP_LOGGER:
            raise InvalidArgument("channel", repr(channel), "another name")
        self.keep_output(chunk, channel, flush)

    def usage(
        self,
        *,
        model: str,
        provider: str | None = None,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_tokens: int = 0,
        reasoning_tokens: int = 0,
        cost: Decimal | int | None = None,
        currency: str = "USD",
        first_token_ms: int | None = None,
    ) -> None:
        """Tells what a call of a model used, any number of times: all of it counts.

        It counts at the innermost step that this code is a part of, with the sums of the execution, also where the
        attempt fails or its process dies; what was told in the last 200 ms before that may be lost. Best is one inner
        step for each call (:meth:`step`), so that each has its own row, and is not made again once it has completed.

        Args:
            model, provider: their names, of up to 200 characters.
            cached_tokens: of ``input_tokens``, those that came from the provider's cache.
            reasoning_tokens: of ``output_tokens``, those that nobody sees.
            cost: what the call cost, where that is known; it is stored in millionths, and so no float. None: it is
                computed by the service ``prices``, else by the list of the extra ``prices``, where they know it.
            currency: of ``cost``: that of the installation (``IA_MODULES_CURRENCY``, else USD).
            first_token_ms: until the first piece of the answer came; that of an attempt's first call is kept.

        Raises:
            InvalidArgument: a name, a number, the cost or its currency is none.
        """
        installed = installation_currency()
        if cost is not None and currency != installed:
            raise InvalidArgument("currency", repr(currency)[:80], f"{installed}, as IA_MODULES_CURRENCY has it")
        micros = None if cost is None else micros_of(cost)
        call = UsageCall(
            model=model,
            provider=provider,
            source="unknown" if micros is None else "reported",
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=cached_tokens,
            reasoning_tokens=reasoning_tokens,
            cost_micros=micros,
            first_token_ms=first_token_ms,
        )
        around = self._innermost()
        if (
            micros is None
            and (micros := computed_micros(around.services.get(SERVICE) or listed_prices(), call)) is not None
        ):
            call = replace(call, source="computed", cost_micros=micros)
        around.keep_usage(call)

    def result(self, value: Any) -> None:
        """Sets what an async generator gives as its result, in the place of what it yields; the last one counts."""
        self.own_result[:] = [value]

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Sets the progress of the step, from 0 to 1. The latest is stored, not every one."""
        self.keep_progress(min(1.0, max(0.0, fraction)), message)


running: ContextVar[StepContext | None] = ContextVar("running_step", default=None)
"""The attempt whose code runs here; None: that of no step."""


async def _just_called(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = function(*args, **kwargs)
    return await value if inspect.isawaitable(value) else value


async def _awaited(value: Awaitable[R]) -> R:
    return await value


def nowhere() -> StepContext:
    """The context of code that runs in no step: what it logs is dropped, and it has neither config nor services."""
    return StepContext(execution_id=ExecutionId(""), step_id="", step_execution_id=StepExecutionId(""))


class Step:
    """A step. Override :meth:`run`; a plain ``def`` runs in a thread of its own.

    A step may run more than once: after a failure that is retried, or when its process died.
    ``context.idempotency_key`` is the same then.

    Attributes:
        name: the step's id in the pipeline.
        config: the step's ``config`` with its placeholders filled in.
        services: those of the runner; outside of a run, none.
        context: where this runs; outside of a run, nowhere.
        logger: a standard logger of this name. As with every logger, what it logs in a run is on record with the
            attempt, from INFO on (``ia_modules.pipeline.capture``); ``context.log`` stores a line with values.
    """

    def __init__(self, name: str, config: dict[str, Any] | None = None) -> None:
        self.name = name
        self.config: dict[str, Any] = config or {}

    @cached_property
    def services(self) -> ServiceRegistry:
        return ServiceRegistry()

    @cached_property
    def context(self) -> StepContext:
        return replace(nowhere(), step_id=self.name, config=self.config, services=self.services)

    @cached_property
    def logger(self) -> logging.Logger:
        return logging.getLogger(f"ia_modules.step.{self.name}")

    def run(self, data: dict[str, Any]) -> Any:
        """Do the work: as ``async def``, or as a plain ``def``, which runs in a thread.

        Args:
            data: the resolved inputs, or the state; a copy of this attempt's own.

        Returns:
            A dict, a model or a dataclass; else it is stored as ``{"result": value}``. What is no JSON becomes what
            pydantic's JSON mode makes of it (:mod:`ia_modules.payload`).
        """
        raise NotImplementedError(f"{type(self).__name__} has no run(); define `async def run(self, data)`")

    def execute(self, data: dict[str, Any]) -> Any:
        """Older steps override this instead of :meth:`run`, in the same two ways."""
        return self.run(data)


PipelineStep = Step
