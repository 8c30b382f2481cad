"""Runs with something of everything, and their run files: for the tests of what becomes of them."""

import json
import shutil
from pathlib import Path
from typing import Any

from ia_modules.client import Client
from ia_modules.database.manager import DatabaseManager
from ia_modules.database.migrator import MIGRATIONS_FOLDER
from ia_modules.models import ExecutionId, ExecutionStatus
from ia_modules.pipeline.allowed_code import AllowedCode
from ia_modules.worker.worker import Worker

MODULE = "recorded_steps"
CODE = """
from ia_modules.pipeline.core import Step


class Fetch(Step):
    async def run(self, data):
        self.context.log("fetching 10€ — ", n=1.0)
        return {"rows": 3, "share": 0.1, "text": "ü\\n\\\\u0041"}


class Score(Step):
    async def run(self, data):
        if self.context.attempt == 1:
            raise ValueError("bad row")
        return {"score": data["rows"] * 2}


def store(data):
    return {"stored": True}
"""
RETRY = {"retry": {"max_attempts": 3, "initial_delay": 0.01, "jitter": False}}


def document(**keys: Any) -> dict[str, Any]:
    """A fetch, a score that fails once, a question to a person, and a step that writes."""
    return {
        "name": "Nightly",
        "slug": "nightly",
        "steps": [
            {"id": "fetch", "module": MODULE, "step_class": "Fetch", "effect": "read"},
            {"id": "score", "module": MODULE, "step_class": "Score", "effect": "pure", "error_handling": RETRY},
            {"id": "ask", "type": "human_input", "prompt": "Well?"},
            {"id": "store", "module": MODULE, "step_class": "store", "effect": "write"},
        ],
        "flow": {
            "start_at": "fetch",
            "paths": [
                {"from": "fetch", "to": "score"},
                {"from": "score", "to": "ask"},
                {"from": "ask", "to": "store"},
            ],
        },
        **keys,
    }


def pipeline_file(folder: Path, **keys: Any) -> Path:
    """A pipeline file with its code beside it."""
    (folder / f"{MODULE}.py").write_text(CODE, "utf-8")
    file = folder / "nightly.json"
    file.write_text(json.dumps(document(**keys)), "utf-8")
    return file


async def record_run(database: DatabaseManager, folder: Path) -> ExecutionId:
    """An execution that has completed: with log lines, a retry, a question that was answered, and audit rows."""
    async with Client(database, allowed=AllowedCode(), actor="ann") as client:
        execution_id = await _run_to_question(client, database, folder)
        [question] = await client.tracker.get_interactions(execution_id)
        async with Worker(database, client.tracker, slots=1, allowed=AllowedCode()):
            await client.answer(question.interaction_id, {"ok": True}, actor="bob")
            ended = await client.wait(execution_id, timeout_seconds=60)
        assert ended.status is ExecutionStatus.COMPLETED
        return execution_id


async def record_waiting_run(database: DatabaseManager, folder: Path) -> ExecutionId:
    """An execution that waits for a person."""
    async with Client(database, allowed=AllowedCode(), actor="ann") as client:
        return await _run_to_question(client, database, folder)


async def queue_run(database: DatabaseManager, folder: Path) -> ExecutionId:
    """An execution that nobody has begun."""
    async with Client(database, allowed=AllowedCode(), actor="ann") as client:
        return (await client.queue(pipeline_file(folder), {"day": "2026-11-25"})).execution_id


async def _run_to_question(client: Client, database: DatabaseManager, folder: Path) -> ExecutionId:
    queued = await client.queue(pipeline_file(folder), {"day": "2026-11-24", "exact": 1.0})
    async with Worker(database, client.tracker, slots=1, allowed=AllowedCode()):
        waiting = await client.wait(queued.execution_id, timeout_seconds=60)
    assert waiting.status is ExecutionStatus.WAITING_FOR_HUMAN
    return queued.execution_id


def first_migrations(folder: Path) -> Path:
    """The migrations of a program that has only the first one, in a folder that is made."""
    folder = folder / "migrations"
    (folder / "sqlite").mkdir(parents=True)
    shutil.copy(MIGRATIONS_FOLDER / "sqlite" / "V001__complete_schema.sql", folder / "sqlite")
    return folder
