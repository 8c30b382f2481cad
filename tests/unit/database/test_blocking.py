import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar

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


def test_what_is_interrupted_is_cancelled_and_waited_for() -> None:
    loop = LoopThread()
    begun, ended, main = threading.Event(), threading.Event(), threading.get_ident()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    def interrupt() -> None:
        begun.wait()
        signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        loop.call(work())
    signal.signal(signal.SIGINT, before)
    assert ended.is_set()
    loop.stop()


def test_it_runs_in_the_context_of_its_caller() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nothing")

    async def look() -> str:
        return variable.get()

    loop = LoopThread()
    token = variable.set("here")
    assert loop.call(look()) == "here"
    variable.reset(token)
    assert loop.call(look()) == "nothing"
    loop.stop()


FORKS = """
import asyncio, os, sys, warnings
from ia_modules import DatabaseManager, ExecutionTracker
from ia_modules.errors import OtherProcess
warnings.simplefilter("ignore")

database = DatabaseManager(sys.argv[1])
database.initialize_sync()
tracker = ExecutionTracker(database)
pipeline = tracker.call(tracker.register_pipeline("p", "P"))
with tracker.execution(pipeline) as execution:
    child = os.fork()
    if child == 0:
        for refused in (
            lambda: database.fetch_all("SELECT 1"),
            lambda: execution.log("here"),
            lambda: asyncio.run(tracker.start_execution(pipeline)),
            database.close_sync,
        ):
            try:
                refused()
            except OtherProcess as error:
                print(error, flush=True)
        own = DatabaseManager(sys.argv[1])
        print(own.fetch_all("SELECT status FROM pipeline_executions"), flush=True)
        own.close_sync()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
tracker.call(tracker.close())
database.close_sync()
"""


def test_a_forked_child_is_refused_what_its_parent_opened_and_may_open_its_own(database_url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORKS, database_url], capture_output=True, text=True, check=True, timeout=60
    )
    *refused, own = ran.stdout.splitlines()
    assert len(refused) == 4
    assert all("Make a DatabaseManager here, and a tracker or client over it." in each for each in refused)
    assert own == "[{'status': 'running'}]"
