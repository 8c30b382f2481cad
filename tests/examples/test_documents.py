"""A folder of texts, each an item of its own: what is retried is retried alone, what fails is left out."""

from ia_modules.models import StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import EXAMPLES, run_example

FOLDER = EXAMPLES / "documents"


async def test_each_text_is_counted_and_what_fails_is_left_out(tracker: ExecutionTracker) -> None:
    recorded = await run_example(tracker, "documents")
    files = sorted(path.name for path in (FOLDER / "texts").glob("*.txt"))
    words = {name: len((FOLDER / "texts" / name).read_text().split()) for name in files}
    assert words["draft.txt"] == 0
    assert recorded.output == {"words": sum(words.values()), "failed": 1}
    items = await tracker.get_execution_steps(recorded.execution.execution_id, within=run_path(GRAPH, "count", 1))
    attempts = {name: [item.status.value for item in items if item.step_name == name] for name in files}
    assert attempts == {
        name: [*(["failed"] if len(name) % 2 else []), "completed" if words[name] else "failed"] for name in files
    }
    [empty] = [item for item in items if item.error_type == "ValueError"]
    assert (empty.step_name, empty.status) == ("draft.txt", StepStatus.FAILED)


def test_it_is_short() -> None:
    assert len((FOLDER / "steps.py").read_text().splitlines()) < 40
