"""A process of one's own: what it is told and tells, and how it ends."""

import asyncio
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from ia_modules.pipeline.child_process import ChildProcess, end_together
from ia_modules.testing.executor_contract import lives
from ia_modules.testing.executor_steps import until
from tests.processes import children

ECHO = "tests.unit.pipeline.echo"


class Heard:
    """What a process has told."""

    def __init__(self, refuses: bytes = b"nothing") -> None:
        self.messages: list[bytes | int] = []
        self._refuses = refuses

    def tell(self, message: bytes | int) -> None:
        if message == self._refuses:
            raise ValueError("it cannot be read")
        self.messages.append(message)


@pytest.fixture
def heard() -> Heard:
    return Heard(refuses=b"dnatsrednu ot ton")


@pytest.fixture
def child(heard: Heard, tmp_path: Path) -> Generator[ChildProcess]:
    child = ChildProcess(ECHO, str(tmp_path / "closed"), None, tell=heard.tell)
    yield child
    child.kill()


async def test_messages_of_any_size_come_whole_and_in_order(child: ChildProcess, heard: Heard) -> None:
    sent = [b"ab", b"", b"0123456789" * 1_000_000, b"c"]
    for message in sent:
        child.send(message)
    await until(lambda: len(heard.messages) == len(sent))
    assert heard.messages == [message[::-1] for message in sent]


async def test_one_that_is_to_end_closes_what_it_has(child: ChildProcess, heard: Heard, tmp_path: Path) -> None:
    end_together([child])
    assert await asyncio.to_thread((tmp_path / "closed").exists)
    await until(lambda: heard.messages == [0])


async def test_how_one_died_is_told_last_and_what_is_sent_then_is_dropped(child: ChildProcess, heard: Heard) -> None:
    child.send(b"ab")
    await until(lambda: len(heard.messages) == 1)
    child.kill()
    await until(lambda: heard.messages == [b"ba", -signal.SIGKILL])
    child.send(b"more")
    child.kill()
    end_together([child])


async def test_one_that_this_program_has_waited_for_itself_has_ended_too(
    child: ChildProcess, heard: Heard, tmp_path: Path
) -> None:
    (process,) = children(str(tmp_path))
    process.kill()
    await asyncio.to_thread(process.wait)
    await until(lambda: len(heard.messages) == 1)
    end_together([child])


async def test_one_whose_message_cannot_be_read_is_ended(child: ChildProcess, heard: Heard) -> None:
    child.send(b"not to understand")
    await until(lambda: heard.messages == [-signal.SIGKILL])


async def test_it_has_its_arguments_and_ctrl_c_is_for_its_owner(heard: Heard, tmp_path: Path) -> None:
    child = ChildProcess(ECHO, str(tmp_path / "closed"), "first", tell=heard.tell)
    await until(lambda: heard.messages == [b"first"])
    (process,) = children(str(tmp_path))
    process.send_signal(signal.SIGINT)
    child.send(b"ab")
    await until(lambda: heard.messages == [b"first", b"ba"])
    end_together([child])
    assert not lives(process.pid)
