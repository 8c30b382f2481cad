"""The actor of one attempt without a cluster: what its owners, who come and go, tell it and are told."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ia_modules.engines.attempt_actor import END_NUMBER, AttemptActor, StaleOwner, UnknownAttempt
from ia_modules.models import JsonText
from ia_modules.pipeline.remote_calls import (
    AttemptEnded,
    BeginCall,
    Reply,
    ToOwner,
    WriteNews,
    encoded,
    read_by_owner,
)
from ia_modules.testing.executor_contract import lives
from ia_modules.testing.executor_steps import until
from tests.unit.pipeline.remote import call_of

STEPS = """
import asyncio, os
from pathlib import Path
from ia_modules import current

EFFECTS = Path(__file__).with_name("effects")

def gives(data):
    return {"n": data["n"]}

def tells(data):
    for number in range(3):
        current.context.call("number", numbered, number)
    return {"told": 3}

def numbered(number):
    with EFFECTS.open("a") as effects:
        effects.write(f"{number} ")
    return number

async def tidies(data):
    EFFECTS.write_text("began")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(1)
        EFFECTS.write_text("began, tidied")

def spins(data):
    EFFECTS.write_text(str(os.getpid()))
    while True:
        sum(range(10_000))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "actor_steps.py").write_text(STEPS)
    return tmp_path


@pytest.fixture
async def actor() -> AsyncGenerator[AttemptActor]:
    actor = AttemptActor(3600.0)
    await actor.take("a")
    yield actor
    for attempt in await actor.attempts():
        await actor.cancel(attempt, 2**40)


class Owner:
    """Talks with an actor of one of its attempts under one epoch."""

    def __init__(self, actor: AttemptActor, epoch: int, attempt: str = "a") -> None:
        self._actor, self._epoch, self._attempt, self._after = actor, epoch, attempt, 0

    async def begin(self, folder: Path, name: str, *, timeout_seconds: float | None = None) -> None:
        call = BeginCall(call_of(folder, name, module="actor_steps"))
        await self._actor.begin(self._attempt, self._epoch, encoded(call), timeout_seconds)

    async def hear(self) -> ToOwner:
        """The next message."""
        while True:
            for number, message in await self._actor.talk(self._attempt, self._epoch, self._after, 5.0):
                self._after = number
                return read_by_owner(message)

    async def reply(self, message: ToOwner) -> None:
        assert isinstance(message, WriteNews)
        await self._actor.reply(self._attempt, self._epoch, encoded(Reply(message.number)))

    async def to_end(self) -> AttemptEnded:
        """Agree to everything."""
        while not isinstance(message := await self.hear(), AttemptEnded):
            await self.reply(message)
        return message


async def test_what_came_of_it_stays_until_nobody_needs_it(actor: AttemptActor, folder: Path) -> None:
    first, second = Owner(actor, 1), Owner(actor, 2)
    await first.begin(folder, "gives")
    for owner in (first, second, Owner(actor, 2)):
        assert await owner.to_end() == AttemptEnded(JsonText('{"n":1}'))
    assert await actor.talk("a", 2, END_NUMBER, 0.0) == []


async def test_what_was_not_answered_waits_for_the_next_owner_and_nothing_is_called_twice(
    actor: AttemptActor, folder: Path
) -> None:
    first, second = Owner(actor, 1), Owner(actor, 2)
    await first.begin(folder, "tells")
    await first.reply(await first.hear())
    left = await first.hear()
    await second.begin(folder, "tells")  # as if it had never begun
    assert await second.hear() == left
    await second.reply(left)
    assert await second.to_end() == AttemptEnded(JsonText('{"told":3}'))
    assert (folder / "effects").read_text() == "0 1 2 "


async def test_an_earlier_owner_is_refused_whatever_it_wants_also_while_it_waits(
    actor: AttemptActor, folder: Path
) -> None:
    first, second = Owner(actor, 1), Owner(actor, 2)
    await first.begin(folder, "spins")
    waiting = asyncio.create_task(first.hear())
    await until((folder / "effects").exists)
    await second.begin(folder, "spins")
    with pytest.raises(StaleOwner):
        await waiting
    for late in (
        actor.cancel("a", 1),
        actor.talk("a", 1, 0, 0.0),
        actor.reply("a", 1, encoded(Reply(1))),
        first.begin(folder, "spins"),
    ):
        with pytest.raises(StaleOwner):
            await late
    assert lives(int((folder / "effects").read_text()))


async def test_code_that_computes_is_ended_when_it_is_cancelled_and_that_is_told(
    actor: AttemptActor, folder: Path
) -> None:
    owner = Owner(actor, 1)
    await owner.begin(folder, "spins")
    await until((folder / "effects").exists)
    assert read_by_owner(await actor.cancel("a", 1)) == AttemptEnded(is_clean=False)
    await until(lambda: not lives(int((folder / "effects").read_text())))
    assert await owner.to_end() == AttemptEnded(is_clean=False)


async def test_its_limit_does_not_begin_anew_with_an_owner(actor: AttemptActor, folder: Path) -> None:
    await Owner(actor, 1).begin(folder, "spins", timeout_seconds=0.5)
    second = Owner(actor, 2)
    await second.begin(folder, "spins", timeout_seconds=3600.0)
    ended = await second.to_end()
    assert ended.failure is not None
    assert ended.failure.kinds[0][1] == "StepTimeout"
    assert "its process was ended" in ended.failure.traceback


async def test_one_that_never_began_has_nothing_to_cancel(actor: AttemptActor) -> None:
    assert read_by_owner(await actor.cancel("a", 1)) == AttemptEnded()


async def test_those_of_a_pool_are_apart_and_what_is_forgotten_is_unknown(folder: Path) -> None:
    actor = AttemptActor(3600.0, 3600.0)
    for attempt in ("a", "b"):
        await actor.take(attempt)
    first, second = Owner(actor, 5, "a"), Owner(actor, 1, "b")
    await first.begin(folder, "gives")
    await second.begin(folder, "gives")
    assert await first.to_end() == await second.to_end() == AttemptEnded(JsonText('{"n":1}'))
    await actor.forget("a")
    await actor.forget("a")
    assert await actor.attempts() == ["b"]
    with pytest.raises(UnknownAttempt):
        await first.begin(folder, "gives")
    with pytest.raises(UnknownAttempt):
        await first.hear()


async def test_one_that_is_named_by_its_attempt_has_it_from_the_start(folder: Path) -> None:
    actor = AttemptActor(3600.0, own="a")
    owner = Owner(actor, 1)
    await owner.begin(folder, "gives")
    assert await owner.to_end() == AttemptEnded(JsonText('{"n":1}'))


async def test_what_is_forgotten_is_stopped(folder: Path) -> None:
    actor = AttemptActor(3600.0, 3600.0)
    await actor.take("a")
    await Owner(actor, 1).begin(folder, "spins")
    await until(lambda: (folder / "effects").exists() and bool((folder / "effects").read_text()))
    await actor.forget("a")
    await until(lambda: not lives(int((folder / "effects").read_text())))


IDLE = """
import asyncio, sys
from pathlib import Path
from ia_modules.engines.attempt_actor import AttemptActor
from ia_modules.pipeline.remote_calls import BeginCall, encoded
from tests.unit.pipeline.remote import call_of

async def main():
    actor = AttemptActor(3600.0, 0.2)
    if sys.argv[2] == "is dropped":
        await actor.take("a")
        await actor.begin("a", 1, encoded(BeginCall(call_of(Path(sys.argv[1]), "tidies", module="actor_steps"))), None)
        while not Path(sys.argv[1], "effects").exists():
            await asyncio.sleep(0.01)
        await actor.forget("a")
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(("what", "effects"), [("was never taken", ""), ("is dropped", "began, tidied")])
def test_an_actor_that_has_nothing_ends_after_a_while_but_not_while_something_is_stopped(
    folder: Path, what: str, effects: str
) -> None:
    with subprocess.Popen([sys.executable, "-c", IDLE, str(folder), what]) as process:
        assert process.wait(60) == 0
    file = folder / "effects"
    assert (file.read_text() if file.exists() else "") == effects


UNCLAIMED = """
import asyncio, sys
from pathlib import Path
from ia_modules.engines.attempt_actor import AttemptActor
from ia_modules.pipeline.remote_calls import BeginCall, encoded
from tests.unit.pipeline.remote import call_of

async def main():
    actor = AttemptActor(float(sys.argv[2]))
    await actor.take("a")
    await actor.begin("a", 1, encoded(BeginCall(call_of(Path(sys.argv[1]), "spins", module="actor_steps"))), None)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_one_that_nobody_asks_for_ends_with_the_process_of_its_code(folder: Path) -> None:
    command, effects = [sys.executable, "-c", UNCLAIMED, str(folder), "8"], folder / "effects"
    with subprocess.Popen(command) as process:
        asyncio.run(until(lambda: effects.exists() and bool(effects.read_text())))
        assert process.wait(60) == 0
    asyncio.run(until(lambda: not lives(int(effects.read_text()))))
