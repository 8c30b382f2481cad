"""Agents whose worker is killed in the middle: what is on record is not asked for again, what is not, once more."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus, StepStatus
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.model_server import Message, ModelServer, model_server, tool_call
from tests.unit.cli.programs import PATIENCE_SECONDS, piped

CALLS = 20
FEW_DEATHS = ["answer 3", "record 12"]
DEATHS = [*FEW_DEATHS, "answer 14", "record 18"]
"""When a process kills itself: with the n-th answer in its hands, and when the n-th call is on record."""

PROGRAM = """
import os
import re
import signal
from pathlib import Path

import httpx2
from openai import AsyncOpenAI, OpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from ia_modules.adapters.openai import BlockingChatModel, ChatModel
from ia_modules.adapters.pydantic_ai import StepDurability

URL, DEATHS, CALLS = "{url}", Path("{deaths}"), {calls}


def die(when, number):
    plan = DEATHS.read_text().splitlines()
    if plan[:1] == [f"{{when}} {{number}}"]:
        DEATHS.write_text("\\n".join(plan[1:]))
        os.kill(os.getpid(), signal.SIGKILL)


def die_with(answer):
    die("answer", re.search(r"answer-(\\d+)", answer)[1])


async def read(response):
    die_with((await response.aread()).decode())


def read_now(response):
    die_with(response.read().decode())


client = AsyncOpenAI(
    base_url=URL, api_key="-", max_retries=0, http_client=httpx2.AsyncClient(event_hooks={{"response": [read]}})
)
waiting = OpenAI(
    base_url=URL, api_key="-", max_retries=0, http_client=httpx2.Client(event_hooks={{"response": [read_now]}})
)
model = OpenAIChatModel("small", provider=OpenAIProvider(openai_client=client))
agent = Agent(model, name="counter", capabilities=[StepDurability()])


@agent.tool_plain
def count(number: int) -> int:
    die("record", number)
    return number


async def think_as_agent(data):
    answer = await agent.run("Count", usage_limits=None)
    return {{"answer": answer.output, "calls": answer.usage.requests}}


async def think(data):
    chat, said = ChatModel(client), "Count"
    messages = [{{"role": "user", "content": said}}]
    for number in range(1, CALLS + 1):
        message = (await chat.chat(model="small", messages=messages)).choices[0].message
        die("record", number)
        messages += [message.to_dict(), {{"role": "tool", "tool_call_id": f"call-{{number}}", "content": str(number)}}]
    return {{"answer": message.content, "calls": number}}


def think_and_wait(data):
    chat, said = BlockingChatModel(waiting), "Count"
    messages = [{{"role": "user", "content": said}}]
    for number in range(1, CALLS + 1):
        message = chat.chat(model="small", messages=messages).choices[0].message
        die("record", number)
        messages += [message.to_dict(), {{"role": "tool", "tool_call_id": f"call-{{number}}", "content": str(number)}}]
    return {{"answer": message.content, "calls": number}}
"""


def reply(messages: list[Message]) -> Message:
    """Calls the tool with 1, 2, 3 and so on; the twentieth answer is the last one."""
    number = sum(message["role"] == "tool" for message in messages) + 1
    return tool_call("count", number, number=number) if number < CALLS else {"content": f"counted to {number}"}


@pytest.fixture
def served() -> Generator[ModelServer]:
    with model_server(reply) as server:
        yield server


@pytest.mark.parametrize(
    ("step", "planned", "dialect"),
    [
        ("think_as_agent", DEATHS, "sqlite"),
        ("think", FEW_DEATHS, "postgresql"),
        ("think_and_wait", FEW_DEATHS, "sqlite"),
    ],
)
async def test_killed_again_and_again_a_model_is_called_once_more_only_for_answers_that_were_not_on_record(
    step: str,
    planned: list[str],
    database_url: str,
    database: DatabaseManager,
    served: ModelServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, deaths = tmp_path / "counting", tmp_path / "deaths.txt"
    folder.mkdir()
    deaths.write_text("\n".join(planned))
    (folder / "counting.py").write_text(PROGRAM.format(url=served.url, deaths=deaths, calls=CALLS))
    steps = [{"id": "think", "module": "counting", "step_class": step}]
    document = {"name": "Counting", "steps": steps, "flow": {"start_at": "think", "paths": []}}
    (folder / "pipeline.json").write_text(json.dumps(document))
    monkeypatch.setenv(FOLDERS_VARIABLE, str(folder))

    async with ExecutionTracker(database) as tracker, Client(database, tracker=tracker) as client:
        await client.register(folder / "pipeline.json")
        execution_id = (await client.queue("counting", {})).execution_id
        for _ in planned:
            with piped(database_url, "worker", "--lease-seconds", "2") as worker:
                _, err = worker.communicate(timeout=PATIENCE_SECONDS)
                assert worker.returncode == -9, err
        with piped(database_url, "worker", "--lease-seconds", "2"):
            ended = await client.wait(execution_id, timeout_seconds=PATIENCE_SECONDS)
        assert ended.status is ExecutionStatus.COMPLETED, ended.error_message
        assert isinstance(ended.output_data, dict)
        assert ended.output_data["think"] == {"answer": f"counted to {CALLS} ", "calls": CALLS}
        assert deaths.read_text() == ""
        lost = [int(death.split()[1]) for death in planned if death.startswith("answer")]
        assert served.answers == CALLS + len(lost)
        attempts = [each.status for each in await client.steps(execution_id)]
        assert attempts == [StepStatus.LOST] * len(planned) + [StepStatus.COMPLETED]
        record = await client.execution(execution_id)
        known = [used for number, used in enumerate(served.used, 1) if number not in lost]
        assert record.input_tokens == sum(used["prompt_tokens"] for used in known)
        assert record.output_tokens == sum(used["completion_tokens"] for used in known)
