"""A recorded program to look at from the command line, and the command line itself."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer.testing import CliRunner, Result

from ia_modules.cli.app import app
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId
from ia_modules.pipeline.allowed_code import FOLDERS_VARIABLE
from ia_modules.tracker.execution_tracker import ExecutionTracker

Command = Callable[..., Result]
Recorded = tuple[ExecutionId, ExecutionId]


@pytest.fixture
def command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command on this test's database; it may use the code in the test's folder."""
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    return command_on(database_url, monkeypatch)


def command_on(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr(sys, "path", [*sys.path])  # commands append the current folder

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, input=stdin)

    return run


def command_named(*words: str) -> tuple[Any, list[str]]:
    """The command or group that these words call, and the words after its name."""
    found: Any = typer.main.get_command(app)
    rest = [*words]
    while rest and hasattr(found, "commands"):
        _, found, rest = found.resolve_command(typer.Context(found), rest)
    return found, rest


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Commands on a database that does not exist, and shall not."""
    return command_on(f"sqlite:///{tmp_path / 'none.db'}", monkeypatch)


def newest(command: Command) -> dict[str, Any]:
    return json.loads(command("executions", "show", "--json").stdout)


def report(command: Command, *arguments: str) -> list[str]:
    return [" ".join(line.split()) for line in command("executions", "show", *arguments).stdout.splitlines()]


def change(database_url: str, statement: str) -> None:
    with DatabaseManager(database_url) as database:
        database.execute(statement)


@pytest.fixture
def recorded(database_url: str) -> tuple[ExecutionId, ExecutionId]:
    """An execution that completed, and after it one that failed in its second step, which wrote control codes."""
    return asyncio.run(_record(database_url))


async def _record(database_url: str) -> tuple[ExecutionId, ExecutionId]:
    async with DatabaseManager(database_url) as database, ExecutionTracker(database) as tracker:
        pipeline_id = await tracker.register_pipeline("nightly", "Nightly import")
        async with tracker.execution(pipeline_id, pipeline_name="Nightly import", input_data={"day": 24}) as good:
            async with good.step("download") as step:
                step.output = {"rows": 3}
            good.output = {"stored": 3}
        evil = tracker.execution(pipeline_id, pipeline_name="[red]Nightly\x1b[31m import", total_steps=2)
        with pytest.raises(ValueError, match="bad row"):
            async with evil:
                async with evil.step("download", input_data={"url": "x"}) as step:
                    step.output = "x" * 5_000
                async with evil.step("score") as step:
                    await step.log("about\nto \x1b]0;fail\x07", level="error", data={"row": 7})
                    raise ValueError("bad row\x1b[2J")
    return good.id, evil.id
