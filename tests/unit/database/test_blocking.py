import asyncio
import threading
from collections.abc import Callable

import pytest

from ia_modules.database.blocking import LoopThread
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import BlockingCallOnLoop, ConstraintViolated
from tests.unit.database.test_manager import ADD, IDS, ids


def test_code_without_a_loop_has_the_same_verbs(empty_database_url: str) -> None:
    with DatabaseManager(empty_database_url) as database:
        assert database.execute(ADD, {"event_id": "1"}) == 1
        assert database.fetch_one(IDS) == {"event_id": "1"}
        assert database.fetch_all(IDS) == [{"event_id": "1"}]
        with pytest.raises(ConstraintViolated):
            database.execute(ADD, {"event_id": "1"})


def test_it_opens_at_first_use_and_closes_every_thread(database_url: str) -> None:
    before = set(threading.enumerate())
    database = DatabaseManager(database_url)
    assert database.fetch_all(IDS) == []
    assert set(threading.enumerate()) > before
    database.close_sync()
    assert all(thread in before for thread in threading.enumerate() if thread.name.startswith("ia-"))


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda database: database.execute(IDS), "execute_async"),
        (lambda database: database.fetch_one(IDS), "fetch_one_async"),
        (lambda database: database.fetch_all(IDS), "fetch_all_async"),
        (lambda database: database.initialize_sync(), "initialize"),
        (lambda database: database.close_sync(), "close"),
    ],
)
async def test_on_a_running_loop_they_name_their_async_twin(
    database: DatabaseManager, call: Callable[[DatabaseManager], object], instead: str
) -> None:
    with pytest.raises(BlockingCallOnLoop, match=rf"Use: await {instead}\(\)"):
        call(database)


async def test_a_thread_beside_the_loop_may_use_them(database: DatabaseManager) -> None:
    """As a heartbeat does, which must not depend on the loop."""

    def beat(name: str) -> None:
        for number in range(10):
            database.execute(ADD, {"event_id": f"{name}{number}"})

    await asyncio.gather(
        *(asyncio.to_thread(beat, name) for name in "abc"),
        *(database.execute_async(ADD, {"event_id": str(number)}) for number in range(10)),
    )
    assert len(await ids(database)) == 40


def test_one_loop_after_the_other_may_use_one_manager(database_url: str) -> None:
    database = DatabaseManager(database_url)

    async def add(event_id: str) -> None:
        await database.execute_async(ADD, {"event_id": event_id})

    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(add("1"))
        second.run(add("2"))
        first.run(add("3"))
        assert len(second.run(ids(database))) == 3
        second.run(database.close())
        first.run(asyncio.sleep(0))  # lets the first loop see that its connections are gone


async def test_a_second_running_loop_may_use_it_too_and_is_closed_with_it(database_url: str) -> None:
    database = DatabaseManager(database_url)
    added, end = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def elsewhere() -> None:
        loops.append(asyncio.get_running_loop())
        await database.execute_async(ADD, {"event_id": "1"})
        added.set()
        await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
    thread.start()
    await asyncio.to_thread(added.wait)
    assert await ids(database) == ["1"]
    await database.close()
    loops[0].call_soon_threadsafe(end.set)
    await asyncio.to_thread(thread.join)


def test_stopping_ends_what_still_runs_there() -> None:
    """Such as a connection that is being closed: it must end, and not be forgotten with the loop."""
    ended = threading.Event()

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(last())

    async def last() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    loop = LoopThread()
    task = loop.call(begin())
    loop.stop()
    assert ended.is_set()
    assert task.cancelled()
