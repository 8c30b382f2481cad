"""The services of the steps that the server itself runs."""

import json
from pathlib import Path

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.pipeline.services import ServiceRegistry
from tests.showcase.server import PATIENCE_SECONDS, Server, running

STEP = "def greet(name: str, services):\n    return f'{services[\"greeting\"]} {name}'\n"


async def test_steps_find_the_services_that_the_server_was_given(
    database: DatabaseManager, database_url: str, tmp_path: Path
) -> None:
    services = ServiceRegistry({"greeting": "hello"})
    (tmp_path / "greeting.py").write_text(STEP)
    written = {
        "name": "Greeting",
        "parameters": {"name": "Ada"},
        "steps": [{"id": "greet", "module": "greeting", "step_class": "greet"}],
        "flow": {"start_at": "greet"},
        "outputs": {"text": "{steps.greet.output.result}"},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(written))
    with running(Server(database_url, services=services, allowed=AllowedCode(roots=(tmp_path,)))):
        async with Client(database) as client:
            queued = await client.queue(tmp_path / "pipeline.json")
            ended = await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
            assert (ended.status, ended.output_data) == (ExecutionStatus.COMPLETED, {"text": "hello Ada"})
