"""Pipelines for workers, and waiting until the records say something."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ia_modules.models import ExecutionId, ExecutionRecord, ExecutionStatus, PipelineVersionRecord
from ia_modules.pipeline.runner import read_pipeline_file
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.worker.queue import enqueue

PATIENCE_SECONDS = 60.0

STEPS = """
import asyncio, time
from pathlib import Path
from ia_modules.pipeline.core import Step

class Work(Step):
    '''Says that it runs, then waits until the file that is its gate exists.'''
    async def run(self, data):
        with Path(data["effects"]).open("a") as effects:
            effects.write(f"{self.context.execution_id} {self.name}" + chr(10))
        while not Path(data["gates"], self.name).exists():
            await asyncio.sleep(0.01)
        return {"done": True}

class Hang(Work):
    '''Keeps the whole event loop from running until its gate exists.'''
    async def run(self, data):
        while not Path(data["gates"], self.name).exists():
            time.sleep(0.01)
        return {"done": True}
"""

T = TypeVar("T")


class Place:
    """A pipeline in a folder: the steps ``one`` to ``three`` after each other, each behind a gate."""

    def __init__(self, folder: Path, *steps: dict[str, Any]) -> None:
        self.folder, self.effects, self.gates = folder, folder / "effects.txt", folder / "gates"
        self.gates.mkdir()
        self.effects.touch()
        (folder / "steps.py").write_text(STEPS)
        listed = steps or tuple({"id": name, "class": "Work", "module": "steps"} for name in ("one", "two", "three"))
        names = [step["id"] for step in listed]
        paths = [{"from": before, "to": after} for before, after in itertools.pairwise(names)]
        document = {"name": "Rows", "steps": listed, "flow": {"start_at": names[0], "paths": paths}}
        (folder / "pipeline.json").write_text(json.dumps(document))

    def open(self, *gates: str) -> None:
        for gate in gates or ("one", "two", "three"):
            (self.gates / gate).touch()

    def input_data(self) -> dict[str, Any]:
        return {"effects": str(self.effects), "gates": str(self.gates)}

    def ran(self) -> list[tuple[str, str]]:
        """(execution, step) of everything that began, in order."""
        return [(line.split()[0], line.split()[1]) for line in self.effects.read_text().splitlines()]

    def times(self) -> Counter[tuple[str, str]]:
        return Counter(self.ran())

    async def stored(self, tracker: ExecutionTracker) -> PipelineVersionRecord:
        pipeline = await read_pipeline_file(self.folder / "pipeline.json")
        definition = pipeline.definition
        registered = await tracker.register_version(
            definition.slug, definition.name, definition.to_json(), source_folder=str(self.folder), new_version=True
        )
        stored = await tracker.get_pipeline_version(registered.pipeline_id, registered.version)
        assert stored is not None
        return stored

    async def enqueue(self, tracker: ExecutionTracker, **options: Any) -> ExecutionId:
        queued = await enqueue(tracker, await self.stored(tracker), self.input_data(), trigger="test", **options)
        return queued.execution_id


async def until(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Ask until the answer is the wanted one; fails with the last answer."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while not wanted(answer := await ask()):
        if loop.time() > deadline:
            pytest.fail(f"it stays at {answer}")
        await asyncio.sleep(0.01)
    return answer


async def until_status(
    tracker: ExecutionTracker, execution_id: ExecutionId, *statuses: ExecutionStatus
) -> ExecutionRecord:
    async def ask() -> ExecutionRecord:
        record = await tracker.get_execution(execution_id)
        assert record is not None
        return record

    return await until(ask, lambda record: record.status in statuses)


async def until_begun(place: Place, execution_id: ExecutionId, step: str) -> None:
    async def ask() -> list[tuple[str, str]]:
        return place.ran()

    await until(ask, lambda ran: (execution_id, step) in ran)
