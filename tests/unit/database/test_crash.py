"""The crash questions, with a real SIGKILL: before the commit, and after it."""

import os
import signal
import subprocess
import sys

import pytest

from ia_modules.database.manager import DatabaseManager
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ids

WRITE = """
import asyncio, sys
from ia_modules.database.manager import DatabaseManager, Statement

ADD = "INSERT INTO events (event_id, actor, address, created_at) VALUES (:id, 'a', 'b', ia_now())"

def write(numbers):
    yield Statement(ADD, [{"id": number} for number in numbers])

async def main():
    async with DatabaseManager(sys.argv[1]) as database:
        await database.run(write("12"))
        if sys.argv[2] == "committed":
            print("now", flush=True)
            await asyncio.Event().wait()
        async with database.transaction(timeout_seconds=1000) as handle:
            await handle.execute(ADD, {"id": "3"})
            print("now", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["committed", "in a transaction"])
async def test_a_killed_process_leaves_what_it_committed_and_nothing_else(
    database: DatabaseManager, database_url: str, moment: str
) -> None:
    command = [sys.executable, "-c", WRITE, database_url, moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 - over in a moment
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        os.kill(process.pid, signal.SIGKILL)
    assert await ids(database) == ["1", "2"]
    assert await database.run(added("4")) == 1  # its locks are gone
