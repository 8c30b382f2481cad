"""The programs that a new user begins with: short, typed, and each does what it says."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ia_modules import Client, Flow
from ia_modules.database.manager import DatabaseManager
from ia_modules.models import StepExecutionRecord
from ia_modules.paths import GRAPH, run_path
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import EXAMPLES

FOLDER = EXAMPLES / "short_programs"
PROGRAMS = [*sorted(FOLDER.glob("*.py")), EXAMPLES / "existing_script" / "invoices.py"]


def flow_of(name: str) -> Flow:
    """The flow that a program defines, as a test of it would import it."""
    path = FOLDER / f"{name}.py"
    names: dict[str, Any] = {"__name__": name}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), names)  # noqa: S102
    return names["flow"]


async def items_of(tracker: ExecutionTracker, execution_id: str, step_id: str) -> list[StepExecutionRecord]:
    return await tracker.get_execution_steps(execution_id, within=run_path(GRAPH, step_id, 1))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_it_has_fewer_than_40_lines_and_is_listed_for_newcomers(program: Path) -> None:
    assert len(program.read_text(encoding="utf-8").splitlines()) < 40
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"({program.name})" in listed or f"../{program.parent.name}/README.md" in listed


@pytest.mark.parametrize(
    ("name", "typed", "printed"),
    [
        ("agent", "", "It is 1556 km.\n"),
        ("answers", "", "They eat frogs.\n"),
        ("approval", "yes\n", "Pay 120 to Ada? (yes or no) Ada gets 120.\n"),
        ("approval", "no\n", "Pay 120 to Ada? (yes or no) Ada gets nothing.\n"),
        ("orders", "", "3 orders are loaded\n"),
    ],
)
def test_it_is_a_program(name: str, typed: str, printed: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", FOLDER / f"{name}.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, input=typed, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, printed), ran.stderr


async def test_each_document_is_an_item_with_its_name_and_the_question_finds_its_passage(
    tracker: ExecutionTracker, database: DatabaseManager
) -> None:
    client = Client(database, tracker=tracker)
    documents = [{"name": f"n{number}", "text": f"Number {number} is here. It is even."} for number in range(20)]
    result = await client.run(flow_of("answers"), {"question": "Where is number 17?", "documents": documents})
    assert result["output"]["answer"]["result"] == "Number 17 is here"
    items = await items_of(tracker, result["execution_id"], "embed")
    assert sorted(item.step_name for item in items) == sorted(document["name"] for document in documents)


async def test_the_shop_that_is_away_twice_is_asked_a_third_time_and_loading_again_adds_nothing(
    tracker: ExecutionTracker, database: DatabaseManager, tmp_path: Path
) -> None:
    client, flow, target = Client(database, tracker=tracker), flow_of("orders"), tmp_path / "orders.db"
    for _ in range(2):
        result = await client.run(flow, {"target": str(target)})
        attempts = await items_of(tracker, result["execution_id"], "extract")
        assert Counter((item.step_name, item.status.value) for item in attempts) == {
            ("north", "completed"): 1,
            ("south", "failed"): 2,
            ("south", "completed"): 1,
        }
        with closing(sqlite3.connect(target)) as table:
            rows = table.execute("SELECT number, customer, cents FROM orders ORDER BY number").fetchall()
        assert rows == [(1, "Ada", 950), (2, "Ben", 12000), (3, "Cleo", 725)]


@pytest.mark.parametrize(
    ("budget", "answer", "tokens"),
    [(100, "100 tokens are spent.", 100), (200, "200 tokens are spent.", 200), (201, "It is 1556 km.", 250)],
)
async def test_the_agent_goes_on_until_it_knows_or_its_budget_is_spent(budget: int, answer: str, tokens: int) -> None:
    output = (await flow_of("agent").run({"budget": budget}))["output"]
    assert (output["answer"], output["tokens"]) == (answer, tokens)
