"""Agents of pydantic-ai within a step: requests and calls of tools on record, emitted, paid for once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Callable, Generator
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.durable_exec import (
    CapabilityOperationId,
    EventStreamHandlerId,
    JournalOperationNamer,
    ModelRequestId,
    ToolsetCallToolId,
)
from pydantic_ai.messages import AgentStreamEvent, FunctionToolCallEvent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from ia_modules import Client, Flow, current
from ia_modules.adapters.pydantic_ai import StepDurability
from ia_modules.errors import StepError
from ia_modules.models import ExecutionId
from tests.model_server import Message, ModelServer, model_server, tool_call
from tests.unit.adapters.calls import calls_of


def reply(messages: list[Message]) -> Message:
    """Doubles the number in the question until it is more than 20, by a tool."""
    last = messages[-1]["content"]
    number = int(str(last).split()[-1])
    if number <= 20:
        return tool_call("double", len(messages), number=number)
    return {"content": f"It is {number}"}


@pytest.fixture
def served() -> Generator[ModelServer]:
    with model_server(reply) as server:
        yield server


def agent_of(
    server: ModelServer, durability: StepDurability[object], called: list[int] | None = None
) -> Agent[object, str]:
    """An agent whose tool doubles, and says what it was called with."""
    model = OpenAIChatModel("small", provider=OpenAIProvider(base_url=server.url, api_key="-"))
    agent = Agent(model, name="helper", capabilities=[durability])

    def double(number: int) -> int:
        if called is not None:
            called.append(number)
        if number == 7:
            raise ModelRetry("7 cannot be doubled, take 8")
        return number * 2

    agent.tool_plain(double)
    return agent


def thinking(agent: Agent[object, str], *, fails: bool = True, prompt: Callable[[], str] = lambda: "Double 5") -> Flow:
    flow = Flow("Agent")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        answer = await agent.run(prompt())
        if fails and current.context.attempt == 1:
            raise ValueError("the last line fails")
        return {"answer": answer.output, "requests": answer.usage.requests}

    return flow


REQUEST, DOUBLE = "helper__model.request_stream", "helper__function_toolset__<agent>.call_tool:double"


async def test_what_has_been_answered_is_not_asked_for_again(client: Client, served: ModelServer) -> None:
    called: list[int] = []
    result = await client.run(thinking(agent_of(served, StepDurability(), called)))
    assert result["output"]["think"] == {"answer": "It is 40 ", "requests": 4}
    assert (served.answers, called) == (4, [5, 10, 20])
    calls = await calls_of(client, result["execution_id"])
    assert sorted(call.step_id for call in calls) == [
        f"{DOUBLE}[1.1.call-1]",
        f"{DOUBLE}[1.2.call-3]",
        f"{DOUBLE}[1.3.call-5]",
        *(f"{REQUEST}[1.{number}]" for number in range(1, 5)),
    ]
    assert {(call.attempt, call.status) for call in calls} == {(1, "completed")}
    assert {call.effect for call in calls if call.step_id.startswith(REQUEST)} == {"read"}


async def test_names_that_are_on_record_stay() -> None:
    """They are how a later version finds what this one has recorded."""
    namer = JournalOperationNamer("helper")
    assert [namer.invocation_name(each, label="double").operation_name for each in OPERATIONS] == [
        "helper__model.request",
        "helper__model.request_stream",
        "helper__model.request.large",
        DOUBLE,
        "helper__mcp_server__files.call_tool",
        "helper__event_stream_handler",
        "helper__capability__memory.load",
    ]


OPERATIONS = (
    ModelRequestId(model_name="small"),
    ModelRequestId(model_name="small", streaming=True),
    ModelRequestId("large", model_name="large"),
    ToolsetCallToolId("function", toolset_id="<agent>"),
    ToolsetCallToolId("mcp", toolset_id="files"),
    EventStreamHandlerId(),
    CapabilityOperationId("memory", operation="load"),
)


async def test_what_it_used_and_said_is_on_record(client: Client, served: ModelServer) -> None:
    result = await client.run(thinking(agent_of(served, StepDurability())))
    execution_id = ExecutionId(result["execution_id"])
    [used] = (await client.usage(execution_id)).models
    assert (used.calls, used.model, used.input_tokens) == (4, "small", served.counted["prompt_tokens"])
    assert (used.cached_tokens, used.reasoning_tokens) == (200, 12)
    pieces = [piece async for piece in client.stream(execution_id)]
    assert "".join(piece.text for piece in pieces if piece.channel == "answer") == "It is 40 "
    assert [value for piece in pieces if piece.channel == "tools" for value in piece.values] == [
        {"tool": "double", "arguments": {"number": number}} for number in (5, 10, 20)
    ]
    calls = await calls_of(client, execution_id)
    assert all(call.first_token_ms is not None for call in calls if call.step_id.startswith(REQUEST))


async def test_one_that_does_not_emit_asks_for_whole_answers(client: Client, served: ModelServer) -> None:
    result = await client.run(thinking(agent_of(served, StepDurability(emit=False))))
    assert result["output"]["think"]["answer"] == "It is 40"
    assert not any(request.get("stream") for request in served.requests)
    calls = await calls_of(client, result["execution_id"])
    assert sum(call.step_id.startswith("helper__model.request[") for call in calls) == 4
    assert [piece async for piece in client.stream(ExecutionId(result["execution_id"]))] == []


async def test_a_tool_that_wants_another_try_is_an_answer_as_any_other(client: Client, served: ModelServer) -> None:
    called: list[int] = []
    agent = agent_of(served, StepDurability(), called)
    with pytest.raises(StepError):  # the model asks for 7 again and again, since that is what it finds in the words
        await client.run(thinking(agent, prompt=lambda: "Double 7"))
    assert set(called) == {7}
    assert len(called) == served.answers, "a call that wanted another try was made again by the second attempt"


async def test_runs_of_one_agent_at_once_get_what_is_theirs(client: Client, served: ModelServer) -> None:
    called: list[int] = []
    agent, flow = agent_of(served, StepDurability(), called), Flow("Agent")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        numbers = [3, 9, 12, 15]
        runs = await asyncio.gather(*(agent.run(f"Double {number}") for number in numbers))
        if current.context.attempt == 1:
            raise ValueError("the last line fails")
        return {"answers": [run.output for run in runs]}

    result = await client.run(flow)
    assert result["output"]["think"]["answers"] == ["It is 24 ", "It is 36 ", "It is 24 ", "It is 30 "]
    assert Counter(called) == {3: 1, 6: 1, 12: 2, 9: 1, 18: 1, 15: 1}


async def test_another_question_than_that_on_record_is_refused(client: Client, served: ModelServer) -> None:
    numbers = iter([5, 6])
    flow = thinking(agent_of(served, StepDurability()), prompt=lambda: f"Double {next(numbers)}")
    with pytest.raises(StepError, match="was recorded for other arguments"):
        await client.run(flow)


async def test_tools_are_what_they_declare(client: Client, served: ModelServer) -> None:
    agent = agent_of(served, StepDurability(tool_options={"effect": "write"}))
    free: list[int] = []

    @agent.tool_plain(metadata={"ia_modules": {"effect": "external", "timeout_seconds": 30}})
    def declared(number: int) -> int:
        return number * 2

    @agent.tool_plain(metadata={"ia_modules": False})
    def unrecorded(number: int) -> int:
        free.append(number)
        return number * 2

    tools = iter(["double", "declared", "unrecorded"])
    served.reply = lambda messages: (
        tool_call(tool, len(messages), number=5) if (tool := next(tools, None)) else {"content": "done"}
    )
    result = await client.run(thinking(agent, fails=False))
    calls = await calls_of(client, result["execution_id"])
    effects = {call.step_id.rpartition(":")[2].partition("[")[0]: call.effect for call in calls if ":" in call.step_id}
    assert effects == {"double": "write", "declared": "external"}
    assert free == [5]


async def test_a_handler_gets_each_event_once_and_what_it_does_is_on_record(
    client: Client, served: ModelServer
) -> None:
    heard: list[str] = []

    async def handle(ctx: RunContext[object], events: AsyncIterable[AgentStreamEvent]) -> None:
        async for event in events:
            if isinstance(event, FunctionToolCallEvent):
                heard.append(event.part.tool_name)

    result = await client.run(thinking(agent_of(served, StepDurability(event_stream_handler=handle))))
    assert result["output"]["think"]["answer"] == "It is 40 "
    assert heard == ["double"] * 3
    assert "".join([piece.text async for piece in client.stream(ExecutionId(result["execution_id"]))]) == "It is 40 "


class Found(BaseModel):
    number: int


async def test_an_agent_on_a_loop_of_its_own_is_refused_before_it_asks_anything(
    client: Client, served: ModelServer
) -> None:
    agent, flow = agent_of(served, StepDurability()), Flow("Agent")

    @flow.step
    def think(data: dict[str, Any]) -> dict[str, Any]:
        return {"answer": asyncio.run(agent.run("Double 12")).output}

    with pytest.raises(StepError, match=r"expected `async def` and `await agent.run\(\)`"):
        await client.run(flow)
    assert served.requests == []


async def test_a_run_that_is_streamed_or_taken_node_by_node_is_on_record_too(
    client: Client, served: ModelServer
) -> None:
    agent, flow = agent_of(served, StepDurability()), Flow("Agent")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        async with agent.run_stream("Double 12") as streamed:
            first = await streamed.get_output()
        async with agent.iter("Double 15") as nodes:
            async for _ in nodes:
                pass
        if current.context.attempt == 1:
            raise ValueError("the last line fails")
        assert nodes.result is not None
        return {"answers": [first, nodes.result.output]}

    result = await client.run(flow)
    assert (result["output"]["think"], served.answers) == ({"answers": ["It is 24 ", "It is 30 "]}, 4)


async def test_what_an_agent_gives_may_be_a_model(client: Client, served: ModelServer) -> None:
    served.reply = lambda messages: tool_call("final_result", len(messages), number=7)
    model = OpenAIChatModel("small", provider=OpenAIProvider(base_url=served.url, api_key="-"))
    agent, flow = Agent(model, name="finder", output_type=Found, capabilities=[StepDurability()]), Flow("Agent")

    @flow.step(retry={"max_attempts": 2, "initial_delay": 0})
    async def think(data: dict[str, Any]) -> Found:
        answer = await agent.run("Find it")
        if current.context.attempt == 1:
            raise ValueError("the last line fails")
        return answer.output

    result = await client.run(flow)
    assert (result["output"]["think"], served.answers) == ({"number": 7}, 1)


async def test_outside_of_a_step_it_is_an_ordinary_agent(served: ModelServer) -> None:
    called: list[int] = []
    answer = await agent_of(served, StepDurability(), called).run("Double 15")
    assert (answer.output, called) == ("It is 30 ", [15])
