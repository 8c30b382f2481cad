"""Random graphs, random timings, processes that die anywhere: the outcome is the same, and nothing is done twice."""

import asyncio
import hashlib
import json
import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules.models import ExecutionId, StepStatus, new_id
from ia_modules.pipeline.code import LoadedPipeline
from ia_modules.pipeline.core import Step
from ia_modules.pipeline.document.graph import Graph
from ia_modules.pipeline.journal import Journal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.pipeline.tokens import StepRunKey
from ia_modules.transitions import Recorded, Transition
from tests.unit.pipeline.test_timing import graphs


class ProcessDied(Exception):
    """Stands for the end of the process: whoever ran there is gone, only the records are left."""


@dataclass
class World:
    """What happens outside of the records: how often each step ran, and how long each takes."""

    seed: int
    timing: random.Random
    ran: list[StepRunKey] = field(default_factory=list)

    def draw(self, what: str) -> int:
        return int(hashlib.sha256(f"{self.seed}/{what}".encode()).hexdigest()[:8], 16)


def pipeline_in(world: World, graph: Graph) -> LoadedPipeline:
    """Steps whose result tells of everything they saw; some fail once and are tried again, some fail for good."""

    class Told(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            key = StepRunKey(self.context.step_id, self.context.iteration)
            for _ in range(world.timing.randrange(4)):
                await asyncio.sleep(0)
            if self.context.attempt == 1 and world.draw(f"flaky/{key}") % 5 == 0:
                raise ConnectionError("once")
            world.ran.append(key)
            if world.draw(f"fails/{key}") % 7 == 0:
                raise ValueError("for good")
            seen = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]
            return {"coin": world.draw(f"coin/{key}") % 3, "iteration": key.iteration, key.step_id: seen}

    retry = {"max_attempts": 2, "initial_delay": 0.0005, "retry_on": ["ConnectionError"]}
    handling = graph.definition.error_handling.model_validate({"retry": retry, "continue_on_error": True})
    definition = graph.definition.model_copy(update={"error_handling": handling, "slug": f"random-{new_id()}"})
    factories = {step.id: Told for step in definition.steps}
    return LoadedPipeline(definition, Graph(definition), factories, {}, None)


@dataclass
class DyingJournal:
    """A journal whose process dies at one of its writes: before the commit, or after it and before the answer."""

    journal: Journal
    dies_at: int
    after_commit: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    async def record(self, transition: Transition) -> Recorded:
        self.dies_at -= 1
        if self.dies_at < 0:
            raise ProcessDied
        if self.dies_at == 0 and not self.after_commit:
            raise ProcessDied
        recorded = await self.journal.record(transition)
        if self.dies_at == 0:
            raise ProcessDied
        return recorded


async def outcome_of(journal: Journal, execution_id: ExecutionId) -> tuple[Any, ...]:
    """All that must not depend on timing or on who died when."""
    result = await Runner(journal).result(execution_id)
    steps = await journal.get_execution_steps(execution_id)
    led_on = [step for step in steps if step.routes and step.routes["next"] == "paths"]  # pyright: ignore[reportArgumentType, reportCallIssue, reportIndexIssue]
    return (
        result["status"],
        result["output"],
        sorted((step.step_id, step.iteration, str(step.output_data), str(step.routes)) for step in led_on),
    )


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 10_000), st.lists(st.integers(0, 2**32), min_size=2, max_size=3))
async def test_the_outcome_is_the_same_for_every_timing(graph: Graph, seed: int, timings: list[int]) -> None:
    outcomes: list[tuple[Any, ...]] = []
    for timing in timings:
        world, journal = World(seed, random.Random(timing)), MemoryJournal()
        run = await Runner(journal).start(pipeline_in(world, graph), {"input": 1})
        await run.to_end()
        assert len(world.ran) == len(set(world.ran)), f"a step ran twice in one iteration: {world.ran}"
        outcomes.append(await outcome_of(journal, run.execution_id))
    assert all(outcome == outcomes[0] for outcome in outcomes)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    graph=graphs(),
    seed=st.integers(0, 10_000),
    timing=st.integers(0, 2**32),
    deaths=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=3),
)
async def test_an_execution_whose_process_dies_anywhere_is_resumed_to_the_same_end(
    journal: Journal, graph: Graph, seed: int, timing: int, deaths: list[tuple[int, bool]]
) -> None:
    undisturbed = MemoryJournal()
    calm = World(seed, random.Random(0))
    expected = await Runner(undisturbed).start(pipeline_in(calm, graph), {"input": 1})
    await expected.to_end()

    world = World(seed, random.Random(timing))
    pipeline = pipeline_in(world, graph)
    run = await Runner(journal).start(pipeline, {"input": 1})
    completed: set[StepRunKey] = set()
    for dies_at, after_commit in deaths:
        dying = Runner(DyingJournal(journal, dies_at, after_commit))  # pyright: ignore[reportArgumentType]
        try:
            await dying.to_end(run)
            break
        except ProcessDied:
            assert not completed & set(world.ran), "a completed step ran again"
            steps = await journal.get_execution_steps(run.execution_id)
            completed = {
                StepRunKey(step.step_id, step.iteration) for step in steps if step.status is StepStatus.COMPLETED
            }
            world.ran.clear()
            execution = await journal.get_execution(run.execution_id)
            if (
                execution is not None and execution.status.is_terminal
            ):  # its last write was committed, only not answered
                break
            run = await Runner(journal).resume(pipeline, run.execution_id)
    else:
        await run.to_end()
    assert not completed & set(world.ran), "a completed step ran again"
    assert await outcome_of(journal, run.execution_id) == await outcome_of(undisturbed, expected.execution_id)
