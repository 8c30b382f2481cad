import json
import shutil
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from examples.agent.model import ModelServer
from ia_modules.errors import LoopLimitExceeded
from ia_modules.models import ExecutionId, ExecutionStatus
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.runner import TRACKER_SERVICE, run_pipeline_from_json
from ia_modules.pipeline.services import ServiceRegistry
from ia_modules.pipeline.step_modules import StepModules
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


async def test_what_it_says_comes_word_by_word_and_what_it_cost_is_what_the_model_counted(
    tracker: ExecutionTracker, model: ModelServer
) -> None:
    recorded = await run_example(tracker, "agent", {"url": model.url})
    pieces = [piece async for piece in tracker.stream(recorded.execution.execution_id)]
    assert "".join(piece.text for piece in pieces if piece.channel == "answer") == recorded.output["answer"]
    tools = [value for piece in pieces if piece.channel == "tools" for value in piece.values]
    assert tools == [call for result in recorded.results("think") for call in result["messages"][0]["calls"]]
    execution = recorded.execution
    assert (execution.input_tokens or 0) + (execution.output_tokens or 0) == model.tokens
    assert execution.cost_micros == 2 * (execution.input_tokens or 0) + 10 * (execution.output_tokens or 0)


FAILING_ONCE = """

class FailsOnce(Think):
    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        result = super().run(data)
        if self.context.attempt == 1:
            raise ValueError("the last line fails")
        return result
"""


async def test_a_turn_that_is_on_record_is_not_asked_for_again(
    tracker: ExecutionTracker, model: ModelServer, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "agent"))
    with (folder / "steps.py").open("a") as code:
        code.write(FAILING_ONCE)
    file = json.loads((folder / "pipeline.json").read_text())
    [think] = [step for step in file["steps"] if step["id"] == "think"]
    think |= {"step_class": "FailsOnce", "error_handling": {"retry": {"max_attempts": 2, "initial_delay": 0}}}
    (folder / "pipeline.json").write_text(json.dumps(file))
    services = ServiceRegistry({TRACKER_SERVICE: tracker})
    result = await run_pipeline_from_json(folder / "pipeline.json", {"url": model.url}, services)
    assert result["output"]["answer"] == "It is 3316 km."
    assert (model.turns, result["output"]["turns"]) == (4, 4)
    attempts = await tracker.get_execution_steps(ExecutionId(result["execution_id"]))
    assert [step.attempt for step in attempts if step.step_id == "think"] == [1, 2] * 4


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
