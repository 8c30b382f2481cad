"""A pipeline that doubles a number, and what tests of the client look at."""

import json
from pathlib import Path
from typing import Any

import orjson

from ia_modules import Client, DatabaseManager
from ia_modules.pipeline.authoring import Flow

STEPS = """
from pathlib import Path
from ia_modules.pipeline.core import Step

class Double(Step):
    async def run(self, data):
        self.context.log("doubling", n=data["n"])
        if data["n"] < 0 and not Path(data["gate"]).exists():
            raise ValueError("negative")
        return {"n": 2 * data["n"]}
"""


def document(name: str = "Double") -> dict[str, Any]:
    return {
        "name": name,
        "parameters": [
            {"name": "n", "schema": {"type": "integer"}, "required": True},
            {"name": "gate", "schema": {"type": "string"}, "default": "nowhere"},
        ],
        "steps": [{"id": "double", "module": "steps", "step_class": "Double"}],
        "flow": {"start_at": "double"},
    }


def change(file: Path, description: str = "newer") -> None:
    file.write_text(json.dumps(document() | {"description": description}))


async def audit(database: DatabaseManager) -> list[tuple[Any, ...]]:
    rows = await database.fetch_all_async("SELECT actor, action, subject, detail FROM audit_log ORDER BY audit_id")
    return [(row["actor"], row["action"], row["subject"], orjson.loads(row["detail"] or "null")) for row in rows]


async def pin(database: DatabaseManager, execution_id: str) -> None:
    sql = "UPDATE pipeline_executions SET pinned = TRUE WHERE execution_id = :execution_id"
    await database.execute_async(sql, {"execution_id": execution_id})


async def ask(client: Client, name: str = "Ask", **config: Any) -> str:
    flow = Flow(name)
    flow.ask("approve", ui_schema={"type": "object", "required": ["yes"]}, **config)
    return (await client.run(flow))["interaction_id"]
