"""Other processes, as production has them: they work on the same database while a test runs."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO

_HOLD_LOCK = """
import asyncio, sys
import asyncpg, apsw

url = sys.argv[1]

async def on_postgresql():
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        print("locked", flush=True)
        sys.stdin.read()
    await connection.close()

async def on_sqlite():
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    connection.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.read()
    connection.execute("COMMIT")

asyncio.run(on_sqlite() if url.startswith("sqlite") else on_postgresql())
"""


@contextmanager
def other_process(program: str, *arguments: str) -> Generator[tuple[IO[str], IO[str]]]:
    """A Python program running beside the test; gives its standard output and input. It must end well by itself.

    It is at its first line of output when the block begins, and its input ends with the block.
    """
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.stdout, process.stdin
        finally:
            process.stdin.close()
            code = process.wait(timeout=60)
    assert code == 0


@contextmanager
def lock_held_elsewhere(url: str) -> Generator[None]:
    """Another process holds the lock that a write of ``events`` needs, until the block ends."""
    with other_process(_HOLD_LOCK, url):
        yield
