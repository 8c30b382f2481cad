"""What happens outside of the records: what the steps of random pipelines do, and what must come of it."""

import asyncio
import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ia_modules.models import new_id
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.human_input import HUMAN_INPUT_REQUIRED
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.testing.reference import Expected, Failed, RunKey, interpret

INPUT = {"input": 1, "log": ["at first"], "cost": 5}
ANSWER = {"yes": 1}


@dataclass
class World:
    """How each step run ends, by a seed, and how long it takes, by chance.

    Attributes:
        ran: the step runs that came to their end here, in order.
        failed_once: those of which a first attempt has failed; a second one will not.
        broken: the one that fails however often it is tried; None: there is none.
        asks_one_in: of so many step runs one asks a person, whose answer is ``ANSWER``; 0: none does.
    """

    seed: int
    timing: random.Random
    ran: list[StepRunKey] = field(default_factory=list)
    failed_once: set[StepRunKey] = field(default_factory=set)
    broken: StepRunKey | None = None
    asks_one_in: int = 0

    def draw(self, what: str) -> int:
        return int(hashlib.sha256(f"{self.seed}/{what}".encode()).hexdigest()[:8], 16)

    def ending(self, key: tuple[str, int], data: Mapping[str, Any]) -> dict[str, Any] | Failed:
        """A result that tells of everything that the run saw, or a failure for good."""
        step_id, iteration = key
        name = f"{step_id}#{iteration}"
        if self.draw(f"fails/{name}") % 7 == 0:
            return Failed("ValueError", "for good")
        seen = hashlib.sha256(json.dumps(without_messages(data), sort_keys=True).encode()).hexdigest()[:8]
        coin = self.draw(f"coin/{name}") % 3
        asks = self.asks_one_in and self.draw(f"asks/{name}") % self.asks_one_in == 0
        answer = {"human_input": ANSWER} if asks else {}
        return {"coin": coin, "iteration": iteration, step_id: seen, **self.contributions(name), **answer}

    def contributions(self, name: str) -> dict[str, Any]:
        """Values for the keys that a file may fold, one in eight of the wrong type."""
        draw = self.draw(f"contributes/{name}")
        every = {
            "log": {"by": name},
            "names": [name, coin] if (coin := draw % 2) else [],
            "cost": "dear" if draw % 8 == 0 else draw % 100,
            "facts": {name: coin, "last": name},
        }
        some = {key: value for place, (key, value) in enumerate(every.items()) if draw >> 2 * place & 48}
        return {**some, "draft": name}


def pipeline_in(world: World, file: Mapping[str, Any]) -> LoadedPipeline:
    """Steps that do what the world says; some fail once and are tried again, if their file says so."""

    class Told(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            key = StepRunKey(self.context.step_id, self.context.iteration)
            for _ in range(world.timing.randrange(4)):
                await asyncio.sleep(0)
            if key not in world.failed_once and world.draw(f"flaky/{key}") % 5 == 0:
                world.failed_once.add(key)
                raise ConnectionError("once")
            if key == world.broken:
                raise OSError("broken")
            world.ran.append(key)
            match world.ending(key, data):
                case Failed(error_message=message):
                    raise ValueError(message)
                case {"human_input": _, **returned}:
                    return {"status": HUMAN_INPUT_REQUIRED, "prompt": f"{key}?", **returned}
                case result:
                    return result

    definition = load({**file, "slug": f"random-{new_id()}"}, strict=False).definition
    return LoadedPipeline(definition, Graph(definition), {step.id: Told for step in definition.steps}, {}, None)


def expected_of(world: World, file: Mapping[str, Any]) -> Expected:
    """What must come of it, by the reference."""

    def code(key: RunKey, data: Mapping[str, Any]) -> Mapping[str, Any] | Failed:
        return world.ending(key, data)

    return interpret(file, INPUT, code)


def without_messages(value: Any) -> Any:
    """Without the words of errors, which the format leaves open."""
    if isinstance(value, Mapping):
        return {key: without_messages(each) for key, each in value.items() if key != "error_message"}
    return [without_messages(each) for each in value] if isinstance(value, list) else value
