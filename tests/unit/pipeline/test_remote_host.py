"""The host of remote calls by what it tells its owner, who is the test here."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from ia_modules.errors import DatabaseBusy, LeaseLost
from ia_modules.models import JsonText
from ia_modules.pipeline.beside import fingerprint, generation_of
from ia_modules.pipeline.hosted_code import HostedCode
from ia_modules.pipeline.remote_calls import (
    AttemptBegan,
    AttemptEnded,
    BeginCall,
    CancelCall,
    CodeChanged,
    RemoteCall,
    RemoteCode,
    Reply,
    ToOwner,
    WriteNews,
)
from ia_modules.pipeline.remote_failures import RemoteFailure
from ia_modules.pipeline.remote_host import RemoteHost
from ia_modules.testing.executor_steps import until
from tests.unit.pipeline.remote import call_of

STEPS = """
import asyncio
from ia_modules import current

def tells(data):
    current.context.log("first")
    current.context.usage(model="m", input_tokens=3)
    return {"n": data["n"]}

async def calls(data):
    try:
        return {"n": await current.context.step("double", lambda: 2)}
    except Exception as error:
        return {"error": type(error).__name__}

async def waits(data):
    current.context.log("waiting")
    await asyncio.Event().wait()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host_steps.py").write_text(STEPS)
    return tmp_path


class Owner:
    """What a host has told, and what it is answered: each request in turn as the test says, then that it is done."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.heard: list[ToOwner] = []
        self.host: RemoteHost | None = None
        self.ended = asyncio.Event()

    def hear(self, message: ToOwner) -> None:
        self.heard.append(message)
        if isinstance(message, WriteNews):
            failure = self.failures.pop(0) if self.failures else None
            answer = Reply(message.number, failure=None if failure is None else RemoteFailure.of(failure))
            asyncio.get_running_loop().call_soon(self._answer, answer)
        if isinstance(message, AttemptEnded | CodeChanged):
            self.ended.set()

    def _answer(self, answer: Reply) -> None:
        assert self.host is not None
        self.host.hear(answer)

    @property
    def records(self) -> list[WriteNews]:
        return [message for message in self.heard if isinstance(message, WriteNews)]


@asynccontextmanager
async def hosted(owner: Owner) -> AsyncGenerator[RemoteHost]:
    async with HostedCode(services=None) as code:
        owner.host = RemoteHost(owner.hear, code)
        yield owner.host
        await owner.host.stop()


async def made(owner: Owner, call: RemoteCall) -> ToOwner:
    async with hosted(owner) as host:
        host.hear(BeginCall(call))
        await owner.ended.wait()
    return owner.heard[-1]


async def test_what_a_step_says_is_written_before_its_end_is_told(folder: Path) -> None:
    owner = Owner()
    assert await made(owner, call_of(folder, "tells")) == AttemptEnded(JsonText('{"n":1}'))
    assert isinstance(owner.heard[0], AttemptBegan)
    assert isinstance(owner.heard[-1], AttemptEnded)
    assert owner.records  # in one write, or in two where there is time between its line and its usage
    assert [line.message for record in owner.records for line in record.logs] == ["first"]
    usage = [update.usage for record in owner.records for update in record.updates if update.usage is not None]
    assert [each.spent.input_tokens for each in usage] == [3]


async def test_what_could_not_be_written_is_sent_again_as_the_same(folder: Path) -> None:
    owner = Owner(DatabaseBusy("busy"), DatabaseBusy("busy"))
    assert await made(owner, call_of(folder, "tells")) == AttemptEnded(JsonText('{"n":1}'))
    refused, accepted = owner.records[:2], owner.records[2:]
    assert accepted  # in one write, or in two where there is time between its line and its usage
    kept = [line.log_id for record in accepted for line in record.logs]
    assert len(kept) == 1
    assert [line.log_id for record in refused for line in record.logs] == 2 * kept
    usage = [update.usage for record in accepted for update in record.updates if update.usage is not None]
    assert [each.spent.input_tokens for each in usage] == [3]


async def test_what_the_owner_refuses_is_raised_where_it_was_asked_for(folder: Path) -> None:
    owner = Owner(LeaseLost("e", owner="other", epoch=2, writer="owner"))
    assert await made(owner, call_of(folder, "calls")) == AttemptEnded(JsonText('{"error":"LeaseLost"}'))


async def test_what_is_cancelled_says_what_it_has_said_and_ends_clean(folder: Path) -> None:
    owner = Owner()
    async with hosted(owner) as host:
        host.hear(BeginCall(call_of(folder, "waits")))
        await until(lambda: bool(owner.heard))
        host.hear(CancelCall())
        await owner.ended.wait()
    assert owner.heard[-1] == AttemptEnded()
    assert [line.message for record in owner.records for line in record.logs] == ["waiting"]


async def test_the_next_attempt_is_made_after_the_one_before(folder: Path) -> None:
    owner = Owner()
    async with hosted(owner) as host:
        for number in (1, 2):
            owner.ended.clear()
            host.hear(BeginCall(call_of(folder, "tells", data=JsonText(orjson.dumps({"n": number}).decode()))))
            await owner.ended.wait()
            assert owner.heard[-1] == AttemptEnded(JsonText(f'{{"n":{number}}}'))


@pytest.mark.parametrize(
    ("change", "is_stale"),
    [(lambda text: text, False), (lambda text: f"{text}\n", True)],
    ids=["the same code", "other code"],
)
async def test_code_that_is_not_what_its_owner_has_is_not_run(
    folder: Path, change: Callable[[str], str], is_stale: bool
) -> None:
    generation = generation_of(folder)
    generation.load("host_steps")
    here = fingerprint(generation)
    (folder / "host_steps.py").write_text(change(STEPS))
    last = await made(Owner(), call_of(folder, "tells", fingerprint=here))
    assert last == (CodeChanged("host_steps") if is_stale else AttemptEnded(JsonText('{"n":1}')))


async def test_code_that_is_not_there_fails_in_words(folder: Path) -> None:
    last = await made(Owner(), call_of(folder, "nowhere"))
    assert isinstance(last, AttemptEnded)
    assert last.failure is not None
    assert "cannot be loaded in a process of its own: module 'host_steps' has no 'nowhere'" in last.failure.message


async def test_code_that_may_not_be_used_is_refused_here_too(folder: Path) -> None:
    code = RemoteCode(module="json", name="loads", folder=str(folder), allowed=("host_*",))
    last = await made(Owner(), call_of(folder, "tells", code=code))
    assert isinstance(last, AttemptEnded)
    assert last.failure is not None
    assert "not among the modules that may be used here" in last.failure.message
