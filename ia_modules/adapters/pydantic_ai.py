"""Agents of pydantic-ai within a step: each request to a model and each call of a tool is on record, and made once.

    agent = Agent("openai:gpt-5", name="helper", capabilities=[StepDurability()])

    async def think(data):
        return {"answer": (await agent.run(data["question"])).output}

A request and a call are steps within the step (``context.step``) with the names that pydantic-ai gives them, such as
``helper__model.request``: what has completed is answered from the record when the step is made again, by a retry, a
resume, or another process. The text of an answer is emitted as it comes, and what it used is on record. Outside of a
run the agent is an ordinary one.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, cast
from weakref import WeakKeyDictionary

from pydantic_ai import RunContext
from pydantic_ai.agent import EventStreamHandler
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    DurabilityEngineSpec,
    DurableOperationBackend,
    DurableOperationId,
    EventStreamHandlerId,
    JournalCallableOperationBackend,
    ModelRequestId,
    RoleBasedOperationConfig,
    ToolsetCallToolId,
    ToolsetKind,
    conversation_id_from_run_id,
)
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import (
    AgentStreamEvent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)
from pydantic_ai.models import Model
from pydantic_ai.tools import AgentDepsT

from ia_modules.models import Effect
from ia_modules.pipeline.core import Inner, StepContext, running
from ia_modules.place import recorder_of

METADATA = "ia_modules"
"""The key of a tool's metadata with its :class:`CallOptions`; ``False`` there: it is called, and not on record."""

_ALWAYS_NEW = {"timestamp", "run_id", "conversation_id"}  # of a message: not the same when it is made again
_OF_THE_CODE = {"system-prompt"}  # parts that may say the time


class CallOptions(TypedDict, total=False):
    """How a request or a call is made, as of :class:`ia_modules.Inner`."""

    retry: Mapping[str, Any] | None
    timeout_seconds: float | None
    effect: Effect | None


@dataclass(slots=True)
class _Request:
    """A request to a model, while it is answered."""

    began: float = field(default_factory=time.monotonic)
    first: float | None = None


_request: ContextVar[_Request | None] = ContextVar("model_request", default=None)
_numbers: WeakKeyDictionary[StepContext, Counter[str]] = WeakKeyDictionary()
"""How many there were of each kind in one attempt; the next attempt counts alike."""


@dataclass(init=False, kw_only=True)
class StepDurability(BaseDurabilityCapability[AgentDepsT]):
    """Puts an agent's requests and calls on record while it runs within a step.

    What the agent does between them happens again when the step is made again, so it has to ask the same: the prompt
    and the results of tools are compared with those on record, and what differs raises ``InnerStepConflict``.
    Instructions and system prompts may differ. Tools are what they declare: a ``ModelRetry`` is an answer as any other.
    """

    engine_spec = DurabilityEngineSpec(
        engine_name="ia_modules",
        durable_unit_noun="call",
        durable_container_noun="step",
        codec=JSON_CODEC,
        tool_config_key=METADATA,
    )

    def __init__(
        self,
        *,
        models: Mapping[str, Model] | None = None,
        event_stream_handler: EventStreamHandler[AgentDepsT] | None = None,
        name: str | None = None,
        emit: bool = True,
        model_options: CallOptions | None = None,
        tool_options: CallOptions | None = None,
    ) -> None:
        """One for each agent.

        Args:
            models: others than the agent's own, by the key with which a run names them.
            event_stream_handler: gets the agent's events; those of a model while its request is answered, only then.
            name: in the names on record; None: the agent's.
            emit: whether answers are asked for as streams, and given to followers as they come: text in the channel
                ``answer``, thoughts in ``thinking``, calls of tools in ``tools``. The model must be able to.
            model_options: of each request; its effect is ``read`` unless they say another.
            tool_options: of each call of a tool; what the tool's own metadata has goes first:
                ``metadata={"ia_modules": {"effect": "read"}}``.
        """
        self._is_handled = event_stream_handler is not None
        handler = _emitting(event_stream_handler) if emit else event_stream_handler
        super().__init__(models=models, event_stream_handler=handler, name=name)
        self._model_options: CallOptions = {"effect": "read", **(model_options or {})}
        self._tool_options: CallOptions = tool_options or {}

    @property
    def in_durable_context(self) -> bool:
        context = running.get()
        return context is not None and context.inner is not None

    def get_default_run_id(self) -> str | None:
        """The same in every attempt of the step: the first run in it, the second one, and so on."""
        if not self.in_durable_context:
            return None
        context = _context()
        return f"{context.idempotency_key}/{self.name}/{_number(context, self.name)}"

    def get_default_conversation_id(self, run_id: str) -> str | None:
        return conversation_id_from_run_id(run_id) if self.in_durable_context else None

    async def get_run_start_time(self, run_id: str) -> datetime | None:
        if not self.in_durable_context:
            return None
        began = Inner(f"{self.name}__run_start_time", _run_number(run_id), effect="pure")
        return datetime.fromisoformat(await _context().step(began, _now))

    def get_durable_operation_backend(self) -> DurableOperationBackend[CallOptions]:
        def tool_options(operation_id: DurableOperationId, tool: Any, tool_name: str) -> CallOptions | Literal[False]:
            return cast(
                "CallOptions | Literal[False]",
                self._build_resolve_tool_config(self._tool_options)(tool, tool_name),
            )

        config = RoleBasedOperationConfig[CallOptions](
            model=self._model_options, event={}, capability={}, tool=self._tool_options, resolve_tool=tool_options
        )
        return _Backend(self.name, self.default_model_id, config, is_handled=self._is_handled)

    def _toolset_base_config(self, kind: ToolsetKind) -> CallOptions:
        return self._tool_options


class _Backend(JournalCallableOperationBackend[CallOptions]):
    """Makes each operation a step within the step that runs."""

    def __init__(
        self,
        agent_name: str,
        default_model_id: str | None,
        config: RoleBasedOperationConfig[CallOptions],
        *,
        is_handled: bool,
    ) -> None:
        super().__init__(agent_name=agent_name, default_model_id=default_model_id, config=config)
        self._is_handled = is_handled

    async def execute(
        self,
        *,
        operation_id: DurableOperationId,
        name: str,
        body: Callable[[], Awaitable[object]],
        cache_key: tuple[object, ...],
        config: CallOptions,
    ) -> object:
        if isinstance(operation_id, EventStreamHandlerId) and not self._is_handled:
            return await body()  # what is emitted of it is nothing

        # What is asked is an argument to be on record, and to be compared when the step is made again.
        async def request(messages: object = None) -> object:
            sent = _Request()
            token = _request.set(sent)
            try:
                answer = await body()
            finally:
                _request.reset(token)
            _tell_usage(cast("dict[str, Any]", answer), sent)
            return answer

        async def call(arguments: object = None) -> object:
            return await body()

        context = _context()
        inner = Inner(name, _key(context, name, cache_key), **config)
        match operation_id:
            case ModelRequestId():
                return await context.step(inner, request, messages=_new_messages(cache_key[1]))
            case ToolsetCallToolId():
                return await context.step(inner, call, arguments=cache_key[1])
            case _:
                return await context.step(inner, call)


def _context() -> StepContext:
    """Where the agent runs.

    Raises:
        UserError: on a loop of its own, on which nothing can be recorded.
    """
    context = running.get()
    assert context is not None, "it is asked for within a step only"
    recorder = recorder_of(context.execution_id)
    if recorder is not None and recorder.loop is not asyncio.get_running_loop():
        found, expected = "found agent.run_sync() within a step", "expected `async def` and `await agent.run()`"
        raise UserError(f"{found}; {expected}: its calls are recorded on the loop that the step runs on.")
    return context


def _number(context: StepContext, what: str) -> int:
    """How many of it there have been in this attempt, with this one."""
    counted = _numbers.setdefault(context, Counter())
    counted[what] += 1
    return counted[what]


def _run_number(run_id: str) -> str:
    """Which run of the agent it is: its number within the step, or the id that the program gave it."""
    return run_id.rpartition("/")[2][-100:]


def _key(context: StepContext, name: str, cache_key: tuple[object, ...]) -> str:
    """What tells operations of one name apart in whichever order they come: the run, its step, the call of the tool."""
    runs = [cast("RunContext[Any]", part) for part in cache_key if isinstance(part, RunContext)]
    parts = ["1"]
    for run in runs:
        parts = [_run_number(run.run_id or "1"), str(run.run_step)]
        if run.tool_call_id is not None:
            parts.append(run.tool_call_id[-100:])
    key = ".".join(parts)
    again = _number(context, f"{name}[{key}]")
    return key if again == 1 else f"{key}.{again}"


def _new_messages(messages: object) -> list[dict[str, Any]]:
    """What a request says for the first time, without what may be new when it is made again."""
    found: list[ModelMessage] = []
    for message in reversed(cast("list[ModelMessage]", messages)):
        if isinstance(message, ModelResponse):
            break
        found.insert(0, message)
    dumped = ModelMessagesTypeAdapter.dump_python(found, mode="json")
    return [
        {name: value for name, value in part.items() if name not in _ALWAYS_NEW}
        for message in dumped
        for part in message["parts"]
        if part["part_kind"] not in _OF_THE_CODE
    ]


def _tell_usage(answer: dict[str, Any], request: _Request) -> None:
    usage: dict[str, Any] = answer.get("usage") or {}
    details: dict[str, int] = usage.get("details") or {}
    _context().usage(
        model=answer.get("model_name") or "unknown",
        provider=answer.get("provider_name"),
        input_tokens=usage.get("input_tokens") or 0,
        output_tokens=usage.get("output_tokens") or 0,
        cached_tokens=usage.get("cache_read_tokens") or 0,
        reasoning_tokens=details.get("reasoning_tokens") or 0,
        first_token_ms=None if request.first is None else round((request.first - request.began) * 1000),
    )


def _emitting(handler: EventStreamHandler[AgentDepsT] | None) -> EventStreamHandler[AgentDepsT]:
    """Gives to followers what comes, and all of it to another handler, if there is one."""

    async def emitting(ctx: RunContext[AgentDepsT], stream: AsyncIterable[AgentStreamEvent]) -> None:
        if handler is not None:
            await handler(ctx, _emitted(stream))
        else:
            async for _ in _emitted(stream):
                pass

    return emitting


async def _emitted(stream: AsyncIterable[AgentStreamEvent]) -> AsyncIterable[AgentStreamEvent]:
    async for event in stream:
        _emit(event)
        yield event


def _emit(event: AgentStreamEvent) -> None:
    """Give what a model says: texts as they grow, and the calls of tools it asks for when they are whole."""
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            chunk, channel = text, "answer"
        case (
            PartStartEvent(part=ThinkingPart(content=text))
            | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(text)))
        ):
            chunk, channel = text, "thinking"
        case PartEndEvent(part=ToolCallPart() as part):
            chunk, channel = {"tool": part.tool_name, "arguments": part.args_as_dict()}, "tools"
        case _:
            return
    request, context = _request.get(), running.get()
    if not chunk or context is None:
        return
    is_first = request is not None and request.first is None
    if request is not None and is_first:
        request.first = time.monotonic()
    context.emit(chunk, channel, flush=is_first)


async def _now() -> str:
    return datetime.now(UTC).isoformat()
