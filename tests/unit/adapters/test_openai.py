"""Calls of models over OpenAI's protocol, as steps within a step: on record, emitted, paid for once."""

from collections.abc import Generator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from ia_modules import Client, Flow, current
from ia_modules.adapters.openai import BlockingChatModel, ChatModel
from ia_modules.errors import StepError
from ia_modules.models import ExecutionId
from ia_modules.pieces import OutputPiece
from tests.model_server import Message, ModelServer, model_server, tool_call
from tests.unit.adapters.calls import calls_of


def reply(messages: list[Message]) -> Message:
    """A question about the weather asks for a tool first; else it counts the messages."""
    if messages[-1]["content"] == "What is the weather?":
        return tool_call("weather", 1, city="Ghent")
    return {"content": f"You said {len(messages)} things."}


@pytest.fixture
def served() -> Generator[ModelServer]:
    with model_server(reply) as server:
        yield server


@pytest.fixture
def openai_client(served: ModelServer) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=served.url, api_key="-", max_retries=0)


@pytest.fixture
def blocking_client(served: ModelServer) -> OpenAI:
    return OpenAI(base_url=served.url, api_key="-", max_retries=0)


def saying(*texts: str) -> list[Any]:
    return [{"role": "user", "content": text} for text in texts]


async def pieces_of(client: Client, execution_id: str) -> list[OutputPiece]:
    return [piece async for piece in client.stream(execution_id)]


async def test_an_answer_is_on_record_and_not_asked_for_again(
    client: Client, served: ModelServer, openai_client: AsyncOpenAI
) -> None:
    model, flow = ChatModel(openai_client, name="writer", provider="house"), Flow("Asking")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        first = await model.chat(model="small", messages=saying("one"))
        second = await model.chat(model="small", messages=saying("one", "two"))
        if current.context.attempt == 1:
            raise ValueError("the last line fails")
        return {"said": [first.choices[0].message.content, second.choices[0].message.content], "id": first.id}

    result = await client.run(flow)
    assert result["output"]["think"] == {"said": ["You said 1 things. ", "You said 2 things. "], "id": "answer-1"}
    assert served.answers == 2
    calls = await calls_of(client, result["execution_id"])
    assert [(call.step_id, call.iteration, call.attempt, call.effect) for call in calls] == [
        ("writer.chat", 1, 1, "read"),
        ("writer.chat", 2, 1, "read"),
    ]
    assert all(call.first_token_ms is not None for call in calls)


async def test_a_step_that_fails_after_each_call_in_turn_asks_for_nothing_twice(
    client: Client, served: ModelServer, openai_client: AsyncOpenAI
) -> None:
    model, flow, calls = ChatModel(openai_client, emit=False), Flow("Asking"), 20

    @flow.step(retry={"max_attempts": calls + 1, "initial_delay": 0})
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        for number in range(1, calls + 1):
            await model.chat(model="small", messages=saying(*map(str, range(number))))
            if current.context.attempt == number:
                raise ValueError(f"it fails after call {number}")
        return {}

    result = await client.run(flow)
    assert served.answers == calls
    execution = await client.execution(result["execution_id"])
    assert execution.input_tokens == served.counted["prompt_tokens"]


async def test_what_it_used_is_what_the_server_counted(
    client: Client, served: ModelServer, openai_client: AsyncOpenAI
) -> None:
    model, flow = ChatModel(openai_client, provider="house"), Flow("Asking")

    @flow.step
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        await model.chat(model="small", messages=saying("one"))
        await ChatModel(openai_client, provider="house", emit=False).chat(model="small", messages=saying("two"))
        found = await model.embed(model="vectors", input="a text")
        return {"vector": found.data[0].embedding}

    result = await client.run(flow)
    assert result["output"]["think"]["vector"] == [0.25, -0.5]
    used = {each.model: each for each in (await client.usage(ExecutionId(result["execution_id"]))).models}
    assert {name: (each.calls, each.provider) for name, each in used.items()} == {
        "small": (2, "house"),
        "vectors": (1, "house"),
    }
    assert sum(each.input_tokens for each in used.values()) == served.counted["prompt_tokens"]
    assert (used["small"].cached_tokens, used["small"].reasoning_tokens) == (100, 6)


async def test_text_and_calls_of_tools_are_emitted_as_they_come(client: Client, openai_client: AsyncOpenAI) -> None:
    model, flow = ChatModel(openai_client), Flow("Asking")

    @flow.step
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        wanted = await model.chat(model="small", messages=saying("What is the weather?"))
        [call] = wanted.choices[0].message.tool_calls or []
        await model.chat(model="small", messages=saying("Thank you."))
        return {"reason": wanted.choices[0].finish_reason, "call": call.id}

    result = await client.run(flow)
    assert result["output"]["think"] == {"reason": "tool_calls", "call": "call-1"}
    pieces = await pieces_of(client, result["execution_id"])
    assert [value for piece in pieces for value in piece.values] == [
        {"tool": "weather", "arguments": '{"city": "Ghent"}'}
    ]
    assert "".join(piece.text for piece in pieces if piece.channel == "answer") == "You said 1 things. "


async def test_one_that_waits_has_the_same(client: Client, served: ModelServer, blocking_client: OpenAI) -> None:
    model, flow = BlockingChatModel(blocking_client), Flow("Asking")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    def think(data: dict[str, Any]) -> dict[str, Any]:
        text = model.chat(model="small", messages=saying("one")).choices[0].message.content
        vector = model.embed(model="vectors", input="a text").data[0].embedding
        plain = BlockingChatModel(blocking_client, name="plain", emit=False).chat(
            model="small", messages=saying("one", "two")
        )
        if current.context.attempt == 1:
            raise ValueError("the last line fails")
        return {"said": [text, plain.choices[0].message.content], "vector": vector}

    result = await client.run(flow)
    assert result["output"]["think"] == {"said": ["You said 1 things. ", "You said 2 things."], "vector": [0.25, -0.5]}
    assert served.answers == 3
    assert "".join(piece.text for piece in await pieces_of(client, result["execution_id"])) == "You said 1 things. "


async def test_other_messages_than_those_on_record_are_refused(client: Client, openai_client: AsyncOpenAI) -> None:
    model, flow = ChatModel(openai_client), Flow("Asking")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        await model.chat(model="small", messages=saying(f"attempt {current.context.attempt}"))
        raise ValueError("the last line fails")

    with pytest.raises(StepError, match="model.chat#1 was recorded for other arguments"):
        await client.run(flow)


async def test_a_server_that_fails_and_one_that_hangs_fail_the_call_in_the_clients_words(
    client: Client, served: ModelServer, openai_client: AsyncOpenAI
) -> None:
    flow = Flow("Asking")
    failures: list[str] = []

    @flow.step
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        served.failing = 2
        try:
            await ChatModel(openai_client).chat(model="small", messages=saying("one"))
        except openai.InternalServerError as error:
            failures.append(type(error).__name__)
        await ChatModel(openai_client, retry={"max_attempts": 3, "initial_delay": 0}).chat(
            model="small", messages=saying("one")
        )
        served.open.clear()
        try:
            await ChatModel(openai_client, timeout_seconds=0.05).chat(model="small", messages=saying("one"))
        except TimeoutError as error:
            failures.append(type(error).__name__)
        return {}

    result = await client.run(flow)
    assert result["status"] == "completed"
    assert failures == ["InternalServerError", "StepTimeout"]
    calls = await calls_of(client, result["execution_id"])
    assert [(call.attempt, call.status) for call in calls] == [(1, "failed"), (2, "completed"), (1, "failed")]


async def test_an_answer_that_breaks_off_is_none(served: ModelServer, openai_client: AsyncOpenAI) -> None:
    served.cuts = True
    with pytest.raises(ConnectionError, match="before its answer was whole"):
        await ChatModel(openai_client).chat(model="small", messages=saying("one"))


async def test_outside_of_a_step_it_just_asks(openai_client: AsyncOpenAI, blocking_client: OpenAI) -> None:
    answer = await ChatModel(openai_client).chat(model="small", messages=saying("one"))
    assert answer.choices[0].message.content == "You said 1 things. "


def test_outside_of_a_step_it_just_waits(blocking_client: OpenAI) -> None:
    answer = BlockingChatModel(blocking_client).chat(model="small", messages=saying("one"))
    assert answer.choices[0].message.content == "You said 1 things. "
