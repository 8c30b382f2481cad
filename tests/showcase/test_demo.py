import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from ia_modules.web.execution_tracker import ExecutionTracker
from tests.showcase.server import PATIENCE_SECONDS

DEMO = Path(__file__).parents[2] / "scripts" / "run_demo.py"


@asynccontextmanager
async def demonstration(database_url: str, *options: str) -> AsyncGenerator[Process]:
    """The demonstration as a process; asked to end with the block at the latest, so that it ends its own children."""
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", DEMO, "--port", "0", "--db", database_url, *options, stdout=PIPE, stderr=PIPE
    )
    try:
        yield demo
    finally:
        if demo.returncode is None:
            demo.terminate()
            await demo.communicate()


async def read_until(demo: Process, pattern: str) -> re.Match[str]:
    """The first line of the demonstration's output that has something in it."""
    assert demo.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for line in demo.stdout:
            if found := re.search(pattern, line.decode()):
                return found
    raise AssertionError(f"the demonstration never said {pattern!r}")


async def test_the_demonstration_shows_a_recorded_program_on_the_socket_and_ends_when_asked_to(
    database_url: str, tracker: ExecutionTracker
) -> None:
    options = ("--program", "folder_digest", "--exit-after-first", "--pause-seconds", "0", "--repeat", "1")
    async with demonstration(database_url, *options) as demo, asyncio.timeout(PATIENCE_SECONDS):
        stdout, stderr = await demo.communicate()
    assert (demo.returncode, stderr.decode()) == (0, "")

    [execution] = await tracker.get_recent_executions()
    assert (execution.status, execution.completed_steps) == ("completed", execution.total_steps)
    shown = stdout.decode().splitlines()
    assert "It is healthy." in shown
    for step in await tracker.get_execution_steps(execution.execution_id):
        assert any(
            re.fullmatch(rf" *{step.sequence}  step_update +completed +{step.step_name}", line) for line in shown
        )
    assert any(line.split()[1:3] == ["execution_update", "completed"] for line in shown)
    assert any(f"/api/executions/{execution.execution_id}" in line for line in shown)


async def test_the_demonstration_puts_its_end_on_record_and_leaves_nothing_running(
    database_url: str, tracker: ExecutionTracker
) -> None:
    async with demonstration(database_url, "--program", "folder_digest", "--pause-seconds", "20") as demo:
        url = (await read_until(demo, r"http://[\d.:]+"))[0]
        await read_until(demo, "step_update +running")
        async with httpx.AsyncClient(base_url=url) as api:
            [running] = (await api.get("/api/executions")).json()["items"]
            assert running["status"] == "running"
            demo.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_SECONDS):
                _, stderr = await demo.communicate()
            assert (demo.returncode, stderr.decode()) == (0, "")
            with pytest.raises(httpx.ConnectError):
                await api.get("/health")

    ended = await tracker.get_execution(running["execution_id"])
    assert ended is not None
    assert ended.status == "cancelled"
    assert {step.status.value for step in await tracker.get_execution_steps(ended.execution_id)} == {"cancelled"}


async def test_the_demonstration_runs_the_code_review_live(database_url: str, tracker: ExecutionTracker) -> None:
    async with demonstration(database_url, "--exit-after-first") as demo, asyncio.timeout(PATIENCE_SECONDS):
        stdout, stderr = await demo.communicate()
    assert (demo.returncode, stderr.decode()) == (0, "")
    [execution] = await tracker.get_recent_executions()
    assert (execution.pipeline_name, execution.status) == ("Code review", "completed")
    shown = stdout.decode()
    for step in ("Parse every file", "Complexity", "TODOs", "Score", "Write the report"):
        assert re.search(rf"step_update +completed +{step}", shown)
