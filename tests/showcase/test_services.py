"""The services of the steps that the server itself runs."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.allowed_code import AllowedCode
from tests.showcase.server import PATIENCE_SECONDS, Server, running

STEP = "def greet(name: str, services):\n    return f'{services[\"greeting\"]} {name}'\n"


async def test_they_are_opened_once_with_the_server_and_closed_when_it_stops(
    database: DatabaseManager, database_url: str, tmp_path: Path
) -> None:
    lines: list[str] = []

    @asynccontextmanager
    async def make() -> AsyncGenerator[dict[str, str]]:
        lines.append("opened")
        yield {"greeting": "hello"}
        lines.append("closed")

    (tmp_path / "greeting.py").write_text(STEP)
    written = {
        "name": "Greeting",
        "parameters": {"name": "Ada"},
        "steps": [{"id": "greet", "module": "greeting", "step_class": "greet"}],
        "flow": {"start_at": "greet"},
        "outputs": {"text": "{steps.greet.output.result}"},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(written))
    with running(Server(database_url, services=make, allowed=AllowedCode(roots=(tmp_path,)))):
        async with Client(database) as client:
            for _ in range(2):
                queued = await client.queue(tmp_path / "pipeline.json")
                ended = await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
                assert (ended.status, ended.output_data) == (ExecutionStatus.COMPLETED, {"text": "hello Ada"})
        assert lines == ["opened"]
    assert lines == ["opened", "closed"]
