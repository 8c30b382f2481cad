"""Calls of models over OpenAI's protocol within a step, whoever serves it: each is on record, and made once.

    model = ChatModel(AsyncOpenAI(base_url=...))

    async def think(data):
        answer = await model.chat(model="gpt-5", messages=[{"role": "user", "content": data["question"]}])
        return {"answer": answer.choices[0].message.content}

A call is a step within the step (``context.step``): what has completed is answered from the record when the step is
made again, by a retry, a resume, or another process. The text of an answer is emitted as it comes, and what the call
used is on record. Outside of a step it is an ordinary call.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, Unpack, cast

from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as Chat
from openai.types.embedding_create_params import EmbeddingCreateParams as Embedding

from ia_modules.models import Json
from ia_modules.pipeline.core import Inner, StepContext, nowhere, running

ClientT = TypeVar("ClientT", AsyncOpenAI, OpenAI)


class _ModelCalls(Generic[ClientT]):
    """How calls are made and known."""

    def __init__(
        self,
        client: ClientT,
        *,
        name: str = "model",
        provider: str | None = None,
        emit: bool = True,
        retry: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """One for each client; it may be used by any number of steps at once.

        Args:
            name: of the calls on record: ``<name>.chat``, ``<name>.embed``.
            provider: who serves it, for prices and records; None: not said.
            emit: whether answers are asked for as streams, and given to followers as they come: text in the channel
                ``answer``, calls of tools in ``tools``. The server must be able to.
            retry, timeout_seconds: of each call, as of :class:`ia_modules.Inner`, beside what the client does itself.
        """
        self._client = client
        self._name, self._provider, self._emit = name, provider, emit
        self._retry, self._timeout_seconds = retry, timeout_seconds

    def _inner(self, what: str, key: str | None) -> Inner:
        retry, timeout_seconds = self._retry, self._timeout_seconds
        return Inner(f"{self._name}.{what}", key, retry=retry, timeout_seconds=timeout_seconds, effect="read")

    def _chatted(self, answer: ChatCompletion, first_token_ms: int | None = None) -> ChatCompletion:
        if used := answer.usage:
            read, written = used.prompt_tokens_details, used.completion_tokens_details
            _context().usage(
                model=answer.model,
                provider=self._provider,
                input_tokens=used.prompt_tokens,
                output_tokens=used.completion_tokens,
                cached_tokens=(read and read.cached_tokens) or 0,
                reasoning_tokens=(written and written.reasoning_tokens) or 0,
                first_token_ms=first_token_ms,
            )
        return answer

    def _embedded(self, answer: CreateEmbeddingResponse) -> CreateEmbeddingResponse:
        _context().usage(model=answer.model, provider=self._provider, input_tokens=answer.usage.prompt_tokens)
        return answer


class ChatModel(_ModelCalls[AsyncOpenAI]):
    """Calls by an asynchronous client, whose steps await them."""

    async def chat(self, *, key: str | None = None, **request: Unpack[Chat]) -> ChatCompletion:
        """A chat completion, with the arguments of ``client.chat.completions.create``.

        Args:
            key: tells calls apart whose order is not the same each time; None: they are numbered.

        Raises:
            InnerStepConflict: it is on record for other arguments.
            openai.OpenAIError: as the client raises it.
        """
        return await _context().step(self._inner("chat", key), self._chat, **request)

    async def _chat(self, **request: Unpack[Chat]) -> ChatCompletion:
        if not self._emit:
            return self._chatted(await self._client.chat.completions.create(**request))
        streamed = _StreamedAnswer(_context().emit)
        completions = cast("Any", self._client.chat.completions)  # its types know no arguments but single ones
        chunks: AsyncStream[ChatCompletionChunk] = await completions.create(**_streaming(request))
        async with chunks:
            async for chunk in chunks:
                streamed.hear(chunk)
        return self._chatted(streamed.end(), streamed.first_token_ms)

    async def embed(self, *, key: str | None = None, **request: Unpack[Embedding]) -> CreateEmbeddingResponse:
        """Embeddings, with the arguments of ``client.embeddings.create``; raises as :meth:`chat`."""
        return await _context().step(self._inner("embed", key), self._embed, **request)

    async def _embed(self, **request: Unpack[Embedding]) -> CreateEmbeddingResponse:
        return self._embedded(await self._client.embeddings.create(**request))


class BlockingChatModel(_ModelCalls[OpenAI]):
    """Calls by a synchronous client, for a plain ``def``; as of :class:`ChatModel`."""

    def chat(self, *, key: str | None = None, **request: Unpack[Chat]) -> ChatCompletion:
        """As :meth:`ChatModel.chat`."""
        return _context().call(self._inner("chat", key), self._chat, **request)

    def _chat(self, **request: Unpack[Chat]) -> ChatCompletion:
        if not self._emit:
            return self._chatted(self._client.chat.completions.create(**request))
        streamed = _StreamedAnswer(_context().emit)
        completions = cast("Any", self._client.chat.completions)
        chunks: Stream[ChatCompletionChunk] = completions.create(**_streaming(request))
        with chunks:
            for chunk in chunks:
                streamed.hear(chunk)
        return self._chatted(streamed.end(), streamed.first_token_ms)

    def embed(self, *, key: str | None = None, **request: Unpack[Embedding]) -> CreateEmbeddingResponse:
        """As :meth:`ChatModel.embed`."""
        return _context().call(self._inner("embed", key), self._embed, **request)

    def _embed(self, **request: Unpack[Embedding]) -> CreateEmbeddingResponse:
        return self._embedded(self._client.embeddings.create(**request))


class _StreamedAnswer:
    """An answer while it comes."""

    def __init__(self, emit: Callable[[Json, str, bool], None]) -> None:
        self._emit, self._began = emit, time.monotonic()
        self._state = ChatCompletionStreamState[None]()
        self._is_whole = False
        self.first_token_ms: int | None = None

    def hear(self, chunk: ChatCompletionChunk) -> None:
        self._state.handle_chunk(chunk)
        for choice in chunk.choices:
            self._is_whole = self._is_whole or choice.finish_reason is not None
            if choice.delta.content or choice.delta.tool_calls:
                is_first = self.first_token_ms is None
                if is_first:
                    self.first_token_ms = round((time.monotonic() - self._began) * 1000)
                if choice.delta.content and choice.index == 0:
                    self._emit(choice.delta.content, "answer", is_first)

    def end(self) -> ChatCompletion:
        """All of it.

        Raises:
            ConnectionError: the stream ended before the answer did.
        """
        if not self._is_whole:
            raise ConnectionError("the server ended the stream before its answer was whole")
        answer = ChatCompletion.model_validate(self._state.current_completion_snapshot.to_dict())
        for call in (answer.choices[0].message.tool_calls or ()) if answer.choices else ():
            if call.type == "function":
                self._emit({"tool": call.function.name, "arguments": call.function.arguments}, "tools", False)
        return answer


def _streaming(request: Chat) -> dict[str, Any]:
    return {
        **request,
        "stream": True,
        "stream_options": {"include_usage": True, **(request.get("stream_options") or {})},
    }


def _context() -> StepContext:
    return running.get() or nowhere()
