"""Any program of inner steps, whoever dies when, gives what the plain program gives, and no answer is asked twice."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules import current
from ia_modules.models import RunPath, StepExecutionRecord, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.core import Inner
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.memory_journal import MemoryJournal
from ia_modules.pipeline.runner import Runner
from tests.unit.pipeline.factories import document
from tests.unit.pipeline.programs import pipeline_of
from tests.unit.pipeline.test_runner_properties import DEATHS, FOREVER, dies

THINK = run_path(GRAPH, "think", 1)


class Call(NamedTuple):
    """One call: of a function, that may raise, of a program of its own, or for a key."""

    name: Literal["a", "b"]
    value: int
    kind: Literal["gives", "raises", "plain"]
    key: str | None
    inside: tuple["Part", ...]


class Part(NamedTuple):
    """Calls that are made one after another, or at the same time."""

    calls: tuple[Call, ...]
    at_once: bool


def parts(depth: int) -> st.SearchStrategy[tuple[Part, ...]]:
    inside = st.just(()) if depth == 0 else st.just(()) | parts(depth - 1)
    call = st.builds(
        Call,
        st.sampled_from(["a", "b"]),
        st.integers(0, 3),
        st.sampled_from(["gives", "gives", "raises", "plain"]),
        st.none(),
        inside,
    )
    return st.lists(st.builds(Part, st.lists(call, min_size=1, max_size=3).map(tuple), st.booleans()), max_size=3).map(
        tuple
    )


def with_keys(program: tuple[Part, ...]) -> tuple[Part, ...]:
    """The same program where every other call of a part has a key of its own: its place.

    So has what is called at the same time as others after something else: which of them comes first may change.
    """
    return tuple(
        Part(
            tuple(
                call._replace(key=f"{number}/{place}" if has_key(part, place) else None, inside=with_keys(call.inside))
                for place, call in enumerate(part.calls)
            ),
            part.at_once,
        )
        for number, part in enumerate(program)
    )


def has_key(part: Part, place: int) -> bool:
    return place % 2 == 1 or (part.at_once and part.calls[place].kind == "plain")


PROGRAMS = parts(1).map(with_keys)

Make = Callable[[Call, Callable[[], Awaitable[Any]]], Awaitable[Any]]


async def ran(program: tuple[Part, ...], make: Make, called: Counter[str]) -> list[Any]:
    """What a program gives whose calls are made by ``make``."""
    answers: list[Any] = []

    async def one(call: Call) -> Any:
        async def function() -> Any:
            called[place()] += 1
            if call.kind == "raises":
                raise ValueError(f"{call.name} {call.value}")
            return [call.name, call.value, await ran(call.inside, make, called)]

        try:
            return await make(call, function)
        except ValueError as error:
            return str(error)

    for part in program:
        if part.at_once:
            answers += await asyncio.gather(*map(one, part.calls))
        else:
            answers += [await one(call) for call in part.calls]
    return answers


def place() -> str:
    context = current.context
    return run_path(context.within, context.step_id, context.iteration) if context.step_id else ""


async def plain(call: Call, function: Callable[[], Awaitable[Any]]) -> Any:
    return await function()


async def as_inner_step(call: Call, function: Callable[[], Awaitable[Any]]) -> Any:
    inner = Inner(call.name, call.key)
    if call.kind == "plain":
        await current.context.step("beside", len, "ab")

    async def ask(value: int) -> Any:
        return await function()

    return await current.context.step(inner, ask, call.value)


async def rows(journal: OperatorJournal, execution_id: Any, within: RunPath) -> list[StepExecutionRecord]:
    """Everything within a run, at every depth."""
    found = await journal.get_execution_steps(execution_id, within=within)
    inside = [
        await rows(journal, execution_id, run_path(within, *key)) for key in {(r.step_id, r.iteration) for r in found}
    ]
    return [*found, *(row for level in inside for row in level)]


def paths_of(records: list[StepExecutionRecord], status: StepStatus) -> Counter[str]:
    return Counter(run_path(each.within, each.step_id, each.iteration) for each in records if each.status is status)


async def assert_no_answer_is_asked_twice(
    journal: OperatorJournal, program: tuple[Part, ...], deaths: list[int]
) -> None:
    called: Counter[str] = Counter()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        return {"given": await ran(program, as_inner_step, called)}

    pipeline = pipeline_of(document("think"), {"think": think})
    run = await Runner(journal).start(pipeline, new_version=True)
    execution_id = run.execution_id
    for moments in (*deaths, FOREVER):
        answered = paths_of(await rows(journal, execution_id, THINK), StepStatus.COMPLETED)
        assert set(answered.values()) <= {1}
        before = called.copy()
        is_open = await dies(journal, pipeline, execution_id, moments)
        assert not [path for path in answered if called[path] > before[path]]
        if not is_open:
            break
    execution = await journal.get_execution(execution_id)
    assert execution is not None
    assert execution.output_data["think"]["given"] == await ran(program, plain, Counter())  # type: ignore[index]
    records = await rows(journal, execution_id, THINK)
    assert set(paths_of(records, StepStatus.COMPLETED).values()) <= {1}
    assert all(each.status.is_terminal for each in records)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PROGRAMS, DEATHS)
async def test_in_memory(program: tuple[Part, ...], deaths: list[int]) -> None:
    await assert_no_answer_is_asked_twice(MemoryJournal(), program, deaths)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=PROGRAMS, deaths=DEATHS)
async def test_on_every_journal(journal: OperatorJournal, program: tuple[Part, ...], deaths: list[int]) -> None:
    await assert_no_answer_is_asked_twice(journal, program, deaths)
