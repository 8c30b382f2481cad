"""What happens outside of the records: what the steps of random pipelines do, and what must come of it."""

import asyncio
import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from ia_modules import current
from ia_modules.models import new_id
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import Inner, Step
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.document.human_input import HUMAN_INPUT_REQUIRED
from ia_modules.pipeline.loader import load
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.testing.reference import CodeRun, Expected, Failed, interpret

INPUT = {"input": 1, "log": ["at first"], "cost": 5}
ANSWER = {"yes": 1}


class InnerCall(NamedTuple):
    """A call that code makes within its run.

    Attributes:
        fails: for good; whoever calls goes on.
        fails_once: and is tried again.
    """

    name: str
    key: str | None
    fails: bool
    fails_once: bool


@dataclass
class World:
    """How each step run ends, by a seed, and how long it takes, by chance.

    Attributes:
        ran: the step runs that came to their end here, in order; a map is none of them, nor are its items.
        failed_once: those of which a first attempt has failed; a second one will not.
        broken: the one that fails however often it is tried; None: there is none.
        asks_one_in: of so many step runs one asks a person, whose answer is ``ANSWER``; 0: none does.
        calls_one_in: of so many runs one makes calls within itself, an item or a call among them; 0: none does.
    """

    seed: int
    timing: random.Random
    ran: list[StepRunKey] = field(default_factory=list)
    failed_once: set[StepRunKey] = field(default_factory=set)
    broken: StepRunKey | None = None
    asks_one_in: int = 0
    calls_one_in: int = 0

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
        found = [name, coin, seen][: 1 + self.draw(f"found/{name}") % 3]
        own = {"coin": coin, "iteration": iteration, step_id: seen, "found": found}
        return {**own, **self.contributions(name), **answer}

    def ending_of_item(self, path: str, data: Mapping[str, Any]) -> Any | Failed:
        """The same of an item: what it gives need not be a mapping, and is held to no rule for the state."""
        draw = self.draw(f"item/{path}")
        if draw % 4 == 0:
            return Failed("ValueError", "for good")
        seen = hashlib.sha256(json.dumps(without_messages(data), sort_keys=True).encode()).hexdigest()[:8]
        return seen if draw % 5 == 0 else {"coin": draw % 3, "seen": seen, "cost": "dear"}

    def calls(self, path: str) -> tuple[InnerCall, ...]:
        """What the code of a run calls within it."""
        draw = self.draw(f"calls/{path}")
        if not self.calls_one_in or draw % self.calls_one_in or path.count("/") > 2:
            return ()
        bits = draw // self.calls_one_in
        names = "ab" if bits % 2 else "aba"
        keyed = {1: f"key {bits % 7}"} if bits % 4 > 1 else {}
        return tuple(
            InnerCall(name, keyed.get(place), (bits >> 4 + place) % 4 == 0, (bits >> 8 + place) % 4 == 0)
            for place, name in enumerate(names)
        )

    def outcome(self, run: CodeRun, data: Mapping[str, Any]) -> Any | Failed:
        """What code gives in the end, its calls made one after the other."""
        answers = self._answers(run)
        if run.item is None:
            ending = self.ending(run.key, data)
            return ending if isinstance(ending, Failed) else with_answers(ending, answers)
        ending = self.ending_of_item(run.path, data)
        return ending if isinstance(ending, Failed) or not answers else [ending, answers]

    def _answers(self, run: CodeRun) -> list[Any]:
        def answer(call: InnerCall, within: CodeRun) -> Any | Failed:
            below = self._answers(within)
            return Failed("ValueError") if call.fails else [call.name, *below]

        calls = self.calls(run.path)
        made = [run.call(call.name, partial(answer, call), key=call.key) for call in calls]
        return [None if isinstance(each, Failed) else each for each in made]

    async def pause(self) -> None:
        for _ in range(self.timing.randrange(4)):
            await asyncio.sleep(0)

    async def answers(self) -> list[Any]:
        """What the calls give that the code which runs here makes, at the same time or one after the other."""

        async def made(call: InnerCall) -> Any:
            inner = Inner(
                call.name, call.key, retry={"max_attempts": 2, "initial_delay": 0} if call.fails_once else None
            )
            try:
                return await current.context.step(inner, self._answer, call)
            except ValueError:
                return None

        calls = self.calls(current.context.path)
        if self.draw(f"at once/{current.context.path}") % 2:
            return await asyncio.gather(*map(made, calls))
        return [await made(call) for call in calls]

    async def _answer(self, call: InnerCall) -> Any:
        await self.pause()
        if call.fails_once and current.context.attempt == 1:
            raise ConnectionError("once")
        below = await self.answers()
        if call.fails:
            raise ValueError("for good")
        return [call.name, *below]

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
        async def run(self, data: dict[str, Any]) -> Any:
            await world.pause()
            answers = await world.answers()
            if self.context.item_key is not None:
                return self._of_item(data, answers)
            key = StepRunKey(self.context.step_id, self.context.iteration)
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
                    return {"status": HUMAN_INPUT_REQUIRED, "prompt": f"{key}?", **with_answers(returned, answers)}
                case result:
                    return with_answers(result, answers)

        def _of_item(self, data: dict[str, Any], answers: list[Any]) -> Any:
            path = self.context.path
            if self.context.attempt == 1 and world.draw(f"flaky/{path}") % 4 == 0:
                raise ConnectionError("once")
            ending = world.ending_of_item(path, data)
            if isinstance(ending, Failed):
                raise ValueError(ending.error_message)
            return [ending, answers] if answers else ending

    definition = load({**file, "slug": f"random-{new_id()}"}, strict=False).definition
    return LoadedPipeline(definition, Graph(definition), {step.id: Told for step in definition.steps}, {}, None)


def expected_of(world: World, file: Mapping[str, Any]) -> Expected:
    """What must come of it, by the reference."""
    return interpret(file, INPUT, world.outcome)


def with_answers(result: dict[str, Any], answers: list[Any]) -> dict[str, Any]:
    return {**result, "answers": answers} if answers else result


def without_messages(value: Any) -> Any:
    """Without the words of errors, which the format leaves open."""
    if isinstance(value, Mapping):
        return {key: without_messages(each) for key, each in value.items() if key != "error_message"}
    return [without_messages(each) for each in value] if isinstance(value, list) else value
