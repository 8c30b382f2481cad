"""``make run``: the server, a program at work beside it, and what its socket says.

    ia-modules serve ◀── the database ◀── ia-modules run examples/code_review (another process)
           └── socket ──▶ echoed here, one short line for each message

Ends on Ctrl-C or SIGTERM, and ends what it started, nothing else.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ia_modules.cli.database import DEFAULT_DATABASE

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ENDED = ("completed", "failed", "cancelled")
PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.2

Answer = dict[str, Any]


class DemoFailed(Exception):
    """A program that the demonstration consists of has ended; it has said why on stderr."""


async def run_demo(options: argparse.Namespace) -> None:
    """Serve and record until cancelled, or until the first execution has ended when that was asked for."""
    async with child(options.db, "-m", "ia_modules.cli", "serve", "--port", str(options.port)) as server:
        url = await address_of(server)
        known = await newest_execution(url)
        print(where_to_look(url), flush=True)
        async with child(options.db, *program_of(options)) as program:
            try:
                await follow_executions(url, known, only_one=options.exit_after_first)
            except (OSError, ConnectionClosed) as error:
                raise DemoFailed(f"The server does not answer any more: {error}") from error
            await program.wait()


def program_of(options: argparse.Namespace) -> tuple[str, ...]:
    """What is at work beside the server: the code review as a pipeline, or a program that records itself."""
    if options.program == "code_review":
        review = str(EXAMPLES / "code_review" / "pipeline.json")
        return ("-m", "ia_modules.cli", "run", review, "--new-version")
    digest = str(EXAMPLES / "folder_digest" / "folder_digest.py")
    return (digest, "--repeat", str(options.repeat), "--pause-seconds", str(options.pause_seconds))


@asynccontextmanager
async def child(database_url: str, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A Python program that works on a database beside this one, and is asked to end when the block ends.

    It has a session of its own: Ctrl-C reaches it through this program, once, so that it can put its end on record.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"DATABASE_URL": database_url},  # not an argument: everybody may read those
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def address_of(server: asyncio.subprocess.Process) -> str:
    """Where the server listens, which is the first thing it says."""
    assert server.stdout is not None
    line = (await asyncio.wait_for(server.stdout.readline(), PATIENCE_SECONDS)).decode()
    found = re.search(r"http://\S+", line)
    if found is None:
        raise DemoFailed("The server did not start.")
    url = found[0]
    health = await get(f"{url}/health")
    print(f"{line.strip()}\nIt is {health['status']}.", flush=True)
    return url


def where_to_look(url: str) -> str:
    return f"""
  {url}/docs             what the API can be asked
  {url}/api/executions   what ran, newest first
  {url.replace("http", "ws")}/ws/executions/ID?after=0   what happens, live
  ia-modules executions show             the newest one, from another shell

Another process is at work and puts every step on record. This is what the socket says:
"""


async def follow_executions(url: str, known: str, *, only_one: bool) -> None:
    """Echo each execution that comes after a known one, until it has ended."""
    while True:
        newest = await newest_execution(url)
        if newest == known:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        known = newest
        await follow(url, newest)
        if only_one:
            return


async def follow(url: str, execution_id: str) -> None:
    async with connect(f"{url.replace('http', 'ws')}/ws/executions/{execution_id}?after=0") as socket:
        async for text in socket:
            message: Answer = json.loads(text)
            print(in_short(message), flush=True)
            if message["type"] == "execution_update" and message["data"]["status"] in ENDED:
                print(f"  {url}/api/executions/{execution_id}\n", flush=True)
                return


def in_short(message: Answer) -> str:
    """A message of the socket on one line."""
    row: Answer = message["data"]
    match message["type"]:
        case "step_update":
            about = f"{row['status']:<10} {row['step_name']}"
        case "log":
            about = f"{row['level']:<10} {row['message']}"
        case _:
            about = f"{row['status']:<10} {row['completed_steps']} of {row['total_steps']} steps"
    return f"{message['sequence']:>6}  {message['type']:<17} {about}"


async def newest_execution(url: str) -> str:
    """Its id; empty when there is none yet."""
    page = await get(f"{url}/api/executions?limit=1")
    return page["items"][0]["execution_id"] if page["items"] else ""


async def get(url: str) -> Answer:
    return await asyncio.to_thread(_get, url)


def _get(url: str) -> Answer:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 (our own address, http only)
        return json.load(answer)


async def until_asked_to_stop(options: argparse.Namespace) -> None:
    """Run the demonstration; SIGTERM and a closed terminal end it as Ctrl-C does."""
    demo = asyncio.create_task(run_demo(options), name="demo")
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(asked, demo.cancel)
    with suppress(asyncio.CancelledError):
        await demo
    print("Ended.", flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve, with a program at work to look at.")
    default = os.environ.get("DATABASE_URL") or DEFAULT_DATABASE
    parser.add_argument("--db", default=default, metavar="URL", help="DATABASE_URL, else ia_modules.db in this folder")
    parser.add_argument("--port", type=int, default=5555, help="0 = any free one")
    parser.add_argument("--program", choices=("code_review", "folder_digest"), default="code_review")
    parser.add_argument("--repeat", type=int, default=3, help="folder_digest: executions to record")
    parser.add_argument("--pause-seconds", type=float, default=0.3, help="folder_digest: added to every file")
    parser.add_argument("--exit-after-first", action="store_true", help="end when the first execution has ended")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(until_asked_to_stop(parse_options()))
    except DemoFailed as failure:
        sys.exit(str(failure))
