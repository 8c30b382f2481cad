"""The services of steps that a command runs: made once in its process, closed at its end, refused in one sentence."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ia_modules.cli.output.terminal import ExitStatus
from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionStatus
from tests.unit.cli.conftest import Command, newest
from tests.unit.cli.programs import PATIENCE_SECONDS, lines_until, piped

SERVICES = """
from contextlib import asynccontextmanager
from pathlib import Path

NOTES = Path(__file__).parent / "notes"

def note(line):
    with NOTES.open("a") as notes:
        notes.write(line + "\\n")

@asynccontextmanager
async def make():
    note("opened")
    try:
        yield {"greeting": "hello"}
    finally:
        note("closed")

def fails():
    raise ValueError("no such model")

def gives_nothing():
    note("called")

NUMBER = 7
"""

STEPS = """
def greet(name: str, services):
    return {"text": f"{services['greeting']} {name}", "has_tracker": "execution_tracker" in services}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a pipeline whose step uses a service, and with what makes it; it is the current folder."""
    module = f"services_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(SERVICES)
    (tmp_path / "steps.py").write_text(STEPS)
    written = {
        "name": "Greeting",
        "parameters": {"name": "Ada"},
        "steps": [{"id": "greet", "module": "steps", "step_class": "greet"}],
        "flow": {"start_at": "greet"},
        "outputs": {"text": "{steps.greet.output.text}", "has_tracker": "{steps.greet.output.has_tracker}"},
    }
    (tmp_path / "pipeline.json").write_text(json.dumps(written))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODULE_OF_SERVICES", module)
    return tmp_path


def named(name: str) -> str:
    return f"{os.environ['MODULE_OF_SERVICES']}:{name}"


def notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return path.read_text().split() if path.exists() else []


def test_run_opens_the_services_once_and_closes_them_at_its_end(command: Command, folder: Path) -> None:
    result = command("run", "pipeline.json", "--services", named("make"))
    assert result.exit_code == 0, result.stderr
    assert newest(command)["output_data"] == {"text": "hello Ada", "has_tracker": True}
    assert notes(folder) == ["opened", "closed"]


def test_the_environment_names_them_where_no_option_does(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IA_MODULES_SERVICES", named("make"))
    assert command("run", "pipeline.json").exit_code == 0
    assert notes(folder) == ["opened", "closed"]


def test_what_is_only_queued_needs_none(command: Command, folder: Path) -> None:
    assert command("run", "pipeline.json", "--services", "no_such_module:make", "--detach").exit_code == 0
    assert notes(folder) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:make", "--services no_such_module:make cannot be used: module 'no_such_module' cannot be"),
        ("{module}:nothing", "has no 'nothing'"),
        ("{module}", "Expected MODULE:NAME of a function or an async context manager that gives a mapping"),
        ("{module}:NUMBER", "is of type int. Expected MODULE:NAME of a function"),
        ("{module}:fails", "could not be made: ValueError: no such model"),
        ("{module}:gives_nothing", "found a value of type NoneType; expected a mapping of services by name"),
    ],
)
def test_what_makes_none_is_said_before_anything_is_recorded(
    command: Command, folder: Path, name: str, message: str
) -> None:
    result = command("run", "pipeline.json", "--services", name.format(module=os.environ["MODULE_OF_SERVICES"]))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert json.loads(command("executions", "list", "--json").stdout)["items"] == []


def until_there(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)  # between two looks: another process has no event to wait for


async def test_a_worker_closes_them_after_its_executions_have_ended(
    database: DatabaseManager, database_url: str, folder: Path
) -> None:
    (folder / "steps.py").write_text(
        STEPS
        + """
from pathlib import Path
import time

def wait(data, services):
    folder = Path(__file__).parent
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    lines = (folder / "notes").read_text().split()
    return {"notes": lines, "text": services["greeting"]}
"""
    )
    written = json.loads((folder / "pipeline.json").read_text())
    written["steps"][0]["step_class"], written["outputs"] = "wait", {}
    (folder / "pipeline.json").write_text(json.dumps(written))
    async with Client(database) as client:
        queued = await client.queue(folder / "pipeline.json")
        with piped(database_url, "worker", "--services", named("make"), cwd=folder) as process:
            await asyncio.to_thread(lines_until, process, lambda line: line.startswith("Worker "))
            await asyncio.to_thread(until_there, folder / "begun")
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(lines_until, process, lambda line: line.startswith("Stopping"))
            assert notes(folder) == ["opened"]
            (folder / "go").touch()
            ended = await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
            _, err = await asyncio.to_thread(process.communicate, timeout=PATIENCE_SECONDS)
    assert (process.returncode, err, ended.status) == (0, "", ExecutionStatus.COMPLETED)
    output: Any = ended.output_data
    assert output["greet"] == {"notes": ["opened"], "text": "hello"}
    assert notes(folder) == ["opened", "closed"]


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_server_opens_them_once_and_closes_them_when_it_stops(
    database: DatabaseManager, database_url: str, folder: Path
) -> None:
    options = ("--port", "0", "--pipelines", str(folder), "--services", named("make"))
    with piped(database_url, "serve", *options, cwd=folder) as process:
        await asyncio.to_thread(lines_until, process, lambda line: line.startswith("ia_modules serves "))
        async with Client(database) as client:
            for _ in range(2):
                queued = await client.queue(folder / "pipeline.json")
                ended = await client.wait(queued.execution_id, timeout_seconds=PATIENCE_SECONDS)
                assert ended.output_data == {"text": "hello Ada", "has_tracker": True}
        assert notes(folder) == ["opened"]
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.to_thread(process.communicate, timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (0, "")
    assert notes(folder) == ["opened", "closed"]


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_server_whose_services_cannot_be_made_says_why_in_one_line(database_url: str, folder: Path) -> None:
    with piped(database_url, "serve", "--port", "0", "--services", named("fails"), cwd=folder) as process:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    reason = f"Error: The services of {named('fails')} could not be made: ValueError: no such model\n"
    assert (process.returncode, out, err) == (ExitStatus.NOT_STARTED, "", reason)
