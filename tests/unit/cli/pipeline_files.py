"""Pipelines for tests of the command line: small files with real code, in a folder of the test's own."""

import json
from pathlib import Path
from typing import Any

from tests.unit.pipeline.factories import document

CODE = '''
import asyncio
from pathlib import Path

from ia_modules.pipeline.core import Step


class Fetch(Step):
    async def run(self, data):
        print("a step prints")
        self.context.log("fetching\\x1b[2J", day=data.get("day"))
        return {"rows": 3}


class Score(Step):
    """Fails until the attempt that its config names."""

    async def run(self, data):
        if self.context.attempt < self.config.get("good_attempt", 1):
            raise ValueError(f"attempt {self.context.attempt} is bad")
        return {"score": 7}


class UntilReleased(Step):
    """Shows its progress, then waits for the file that its config names."""

    async def run(self, data):
        self.context.progress(0.5, "halfway")
        while not Path(self.config["file"]).exists():
            await asyncio.sleep(0.02)
        return {"released": True}


class Talk(Step):
    """Gives its words as they come; the last one when the file that its config names is there."""

    async def run(self, data):
        self.context.log("thinking")
        yield f"Hello {self.context.attempt}, "
        self.context.emit({"tool": "search"}, "calls", flush=True)
        while not Path(self.config["file"]).exists():
            await asyncio.sleep(0.02)
        yield "world"


class Forever(Step):
    async def run(self, data):
        self.context.progress(0.25, "a quarter")
        await asyncio.Event().wait()


class Stubborn(Step):
    async def run(self, data):
        while True:
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                pass


class Count(Step):
    async def run(self, data):
        return {"count": data.get("count", 0) + 1}
'''


def step(step_id: str, step_class: str, **keys: Any) -> dict[str, Any]:
    return {"id": step_id, "step_class": step_class, "module": "steps", **keys}


def compare(source: str, operator: str, value: Any) -> dict[str, Any]:
    return {"type": "expression", "config": {"source": source, "operator": operator, "value": value}}


def write(folder: Path, *steps: Any, name: str = "Nightly", paths: list[Any] | None = None, **keys: Any) -> str:
    """A pipeline file with its code beside it; returns its path."""
    (folder / "steps.py").write_text(CODE)
    file = folder / f"{name.lower()}.json"
    file.write_text(json.dumps({**document(*steps, paths=paths), "name": name, **keys}))
    return str(file)


def nightly(folder: Path, **keys: Any) -> str:
    """Fetch, then at once a score that fails at first and a count, then a join; one step is not reached."""
    keys.setdefault("outputs", {"score": "{steps.score.output.score}"})
    retry = {"retry": {"max_attempts": 3, "initial_delay": 0.01, "jitter": False}}
    return write(
        folder,
        step("fetch", "Fetch", name="Fetch the pages"),
        step("score", "Score", config={"good_attempt": 2}, error_handling=retry),
        step("count", "Count"),
        step("apologize", "Count"),
        step("store", "Count"),
        paths=[
            ("fetch", "score", compare("result.rows", "gt", 0)),
            ("fetch", "count"),
            ("fetch", "apologize", compare("result.rows", "==", 0)),
            ("score", "store"),
            ("count", "store"),
            ("apologize", "store"),
        ],
        **keys,
    )
