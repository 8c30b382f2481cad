"""Files that are nearly the same are found by processes of their own."""

from pathlib import Path

from examples.heavy.steps import HASHES, sketch
from ia_modules.models import StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.examples.runs import EXAMPLES, run_example

WORDS = [f"word{number}" for number in range(400)]


def write(folder: Path, name: str, words: list[str]) -> None:
    (folder / name).write_text(" ".join(words))


async def test_files_that_are_nearly_the_same_are_found(tracker: ExecutionTracker, tmp_path: Path) -> None:
    write(tmp_path, "one.md", WORDS)
    write(tmp_path, "nearly.md", [*WORDS[:390], *(["other"] * 10)])
    write(tmp_path, "strange.md", WORDS[::-1])
    write(tmp_path, "short.md", WORDS[:3])
    write(tmp_path, "left_out.txt", WORDS)
    recorded = await run_example(tracker, "heavy", {"folder": str(tmp_path), "pattern": "*.md"})
    (pair,) = recorded.output["pairs"]
    assert sorted(pair["files"]) == ["nearly.md", "one.md"]
    assert 0.8 < pair["alike"] < 1
    within = run_path(GRAPH, "sketch", 1)
    items = await tracker.get_execution_steps(recorded.execution.execution_id, within=within)
    assert [(item.step_name, item.status) for item in items] == [
        (name, StepStatus.COMPLETED) for name in ("nearly.md", "one.md", "short.md", "strange.md")
    ]


def test_a_sketch_is_the_same_in_every_process(tmp_path: Path) -> None:
    write(tmp_path, "one.md", WORDS)
    hashes = sketch(str(tmp_path), "one.md").hashes
    assert len(hashes) == HASHES
    assert hashes == sketch(str(tmp_path), "one.md").hashes


def test_it_is_short() -> None:
    assert len((EXAMPLES / "heavy" / "steps.py").read_text().splitlines()) < 70
