import asyncio
import json
import signal
from math import inf
from pathlib import Path
from typing import Any

import pytest

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus
from tests.unit.cli.conftest import Command
from tests.unit.cli.programs import PATIENCE_SECONDS, lines_until, piped
from tests.unit.database.proxy import proxy_to


def test_a_worker_says_what_it_works_on_and_ends_well_when_told_to(empty_database_url: str) -> None:
    with piped(empty_database_url, "worker", "--slots", "2") as process:
        (line,) = lines_until(process, lambda line: True)
        assert line.startswith("Worker ")
        assert ", 2 slots " in line
        assert f" on {empty_database_url.partition(':')[0]}" in line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("Stopping: ")


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_worker_that_starts_while_the_database_is_away_waits_for_it_and_says_so(
    empty_database_url: str,
) -> None:
    async with proxy_to(empty_database_url) as proxy:
        proxy.refuses = inf
        with piped(proxy.url, "worker") as process:
            assert process.stderr is not None
            line = await asyncio.to_thread(process.stderr.readline)
            assert line.startswith("Waiting for the database: ")
            proxy.refuses = 0
            [line] = await asyncio.to_thread(lines_until, process, lambda line: True)
            assert line.startswith("Worker ")
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0


def test_a_worker_that_waits_for_its_database_ends_when_told_to_and_shows_no_password() -> None:
    with piped("postgresql://me:hunter2@127.0.0.1:1/ia", "worker") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "127.0.0.1:1" in line
    assert "hunter2" not in line + err


def test_a_file_that_cannot_be_opened_is_said_in_one_line(command: Command) -> None:
    result = command("worker", "--db", "sqlite:////nowhere/at/all/ia.db")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "/nowhere/at/all" in result.stderr


POOL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from part import double

def go(data):
    found = []
    for method in ("spawn", "forkserver"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            found += pool.map(double, [1, 2])
    return {"found": found}
"""


async def test_processes_that_a_step_of_a_worker_starts_find_its_modules(
    database: DatabaseManager, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "steps.py").write_text(POOL)
    (tmp_path / "part.py").write_text("def double(number):\n    return 2 * number\n")
    written = {
        "name": "Pool",
        "steps": [{"id": "go", "module": "steps", "step_class": "go"}],
        "flow": {"start_at": "go"},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(written))
    async with Client(database) as client:
        queued = await client.queue(tmp_path / "pipeline.json")
        with piped(database_url, "worker", cwd=tmp_path):
            ended = await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
    output: Any = ended.output_data
    assert (ended.status, output["found"]) == (ExecutionStatus.COMPLETED, [2, 4, 2, 4])
