import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from examples.agent.model import ModelServer
from ia_modules.errors import LoopLimitExceeded
from ia_modules.models import ExecutionStatus
from ia_modules.pipeline.code import StepModules
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import run_pipeline_from_json
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import EXAMPLES, run_example, taken

FOLDER = EXAMPLES / "agent"
NOWHERE = {"places": ["Lisbon", "Atlantis"]}


@pytest.fixture
def model() -> Generator[ModelServer]:
    """The model, in threads of this process, until the test ends."""
    with ModelServer() as model:
        yield model


async def test_it_answers_after_the_tools_have_told_the_model_what_it_needs(
    tracker: ExecutionTracker, model: ModelServer
) -> None:
    recorded = await run_example(tracker, "agent", {"url": model.url})
    assert recorded.output == {
        "answer": "It is 3316 km.",
        "because": "answered",
        "messages": 8,
        "turns": 4,
        "tokens": 400,
    }
    assert [len(result["messages"]) for result in recorded.results("think")] == [1] * 4
    assert taken(recorded.attempts("think")[-1]) == ["answered"]


@pytest.mark.parametrize("budget", [150, 240, 241, 400, 500])
async def test_it_stops_within_its_budget(tracker: ExecutionTracker, model: ModelServer, budget: int) -> None:
    recorded = await run_example(tracker, "agent", {**NOWHERE, "url": model.url, "budget": budget})
    assert recorded.output["because"].endswith(f"of {budget} tokens are used up")
    assert recorded.output["tokens"] == model.tokens <= budget
    assert taken(recorded.attempts("think")[-1]) == ["over_budget"]


async def test_it_gives_up_after_five_turns(tracker: ExecutionTracker, model: ModelServer) -> None:
    recorded = await run_example(tracker, "agent", {**NOWHERE, "url": model.url, "budget": 2_000})
    assert (recorded.output["because"], model.turns) == ("no answer in five turns", 5)
    assert recorded.execution.status is ExecutionStatus.COMPLETED


async def test_it_runs_alone_and_stops_the_model_that_it_started(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "agent")
    assert recorded.output["answer"] == "It is 3316 km."
    assert StepModules(FOLDER).attribute("steps", "_own") == {}
    assert [thread for thread in threading.enumerate() if thread.name == "agent-model" and thread.is_alive()] == []


def without_first() -> dict[str, Any]:
    """The example's file, of which every path that holds is taken."""
    file = json.loads((FOLDER / "pipeline.json").read_text())
    for step in file["steps"]:
        step.pop("route", None)
    return file


def test_the_linter_names_the_step_where_first_is_not_written() -> None:
    assert load(json.loads((FOLDER / "pipeline.json").read_text())).warnings == ()
    [warning] = load(without_first()).warnings
    assert "paths of 'think' to 'over_budget' and 'act' can both hold" in str(warning)


async def test_without_first_it_goes_on_beside_its_way_out_and_spends_more(model: ModelServer, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(without_first()))
    with pytest.raises(LoopLimitExceeded):
        await run_pipeline_from_json(path, {**NOWHERE, "url": model.url, "budget": 500}, working_directory=FOLDER)
    assert model.tokens > 2 * 500
