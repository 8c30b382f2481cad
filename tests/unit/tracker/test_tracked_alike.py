"""A program behaves as without the decorator, and nothing of it is kept."""

import asyncio
import contextlib
import gc
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ia_modules import tracked
from ia_modules.place import here
from tests.unit.tracker.tracked_records import Programs, only

STEPS = st.recursive(
    st.sampled_from(["value", "raise", "object"]),
    lambda inner: st.tuples(
        st.sampled_from(["plain", "coroutine", "generator", "async_generator"]),
        st.lists(inner, max_size=3),
        st.booleans(),
    ),
    max_leaves=12,
)


class Trouble(Exception):
    pass


OBJECT = object()


class Run:
    """Carries out steps, with each function decorated; ``seen`` learns all that happens, in its order."""

    def __init__(self, decorate: Callable[[Any], Any]) -> None:
        self.decorate = decorate
        self.seen: list[Any] = []

    async def step(self, step: Any) -> Any:
        if step == "value":
            return len(self.seen)
        if step == "object":
            return OBJECT
        if step == "raise":
            raise Trouble(len(self.seen))
        kind, inner, catches = step
        return await getattr(self, kind)(inner, catches)

    async def one(self, each: Any, catches: bool) -> Any:
        try:
            return await self.step(each)
        except Trouble as trouble:
            self.seen.append(("caught", str(trouble)))
            if catches:
                return "caught"
            raise

    async def plain(self, inner: list[Any], catches: bool) -> Any:
        @self.decorate
        def plain(items: list[Any]) -> Any:
            self.seen.append(len(items))
            if "raise" in items:
                raise Trouble("plain")
            return items, OBJECT, catches

        return plain(inner)

    async def coroutine(self, inner: list[Any], catches: bool) -> Any:
        @self.decorate
        async def coroutine(items: list[Any]) -> list[Any]:
            return [await self.one(each, catches) for each in items]

        return await coroutine(inner)

    async def async_generator(self, inner: list[Any], catches: bool) -> Any:
        @self.decorate
        async def async_generator(items: list[Any]) -> AsyncIterator[Any]:
            try:
                for each in items:
                    self.seen.append(("sent", (yield await self.one(each, catches))))
            finally:
                self.seen.append("closed")

        results: list[Any] = []
        async for value in (rows := async_generator(inner)):
            results.append(value)
            if catches and len(results) == 2:
                await rows.aclose()
        return results

    async def generator(self, inner: list[Any], catches: bool) -> Any:
        @self.decorate
        def generator(items: list[Any]) -> Generator[Any, Any, Any]:
            try:
                for each in items:
                    try:
                        self.seen.append(("sent", (yield each)))
                    except Trouble as trouble:
                        self.seen.append(("thrown", str(trouble)))
                        if catches:
                            yield "went on"
            finally:
                self.seen.append("closed")
            return len(items)

        rows, results = generator(inner), list[Any]()
        try:
            results.append(next(rows))
            results.append(rows.send("sent"))
            results.append(rows.throw(Trouble("thrown in")))
            rows.close()
        except StopIteration as stop:
            results.append(("returned", stop.value))
        except Trouble as trouble:
            results.append(("out", str(trouble)))
        return results


async def outcome_of(step: Any, decorate: Callable[[Any], Any]) -> tuple[Any, ...]:
    run = Run(decorate)
    try:
        result = await run.step(step)
    except Trouble as trouble:
        return "raised", type(trouble), trouble.args, run.seen
    return "returned", result, run.seen


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(step=STEPS)
def test_a_program_behaves_as_without_the_decorator(programs: Programs, step: Any) -> None:
    plain = asyncio.run(outcome_of(step, lambda function: function))
    recorded = asyncio.run(outcome_of(step, tracked))
    assert recorded == plain
    assert here.get() is None


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_coroutine_that_nobody_awaits_is_warned_of_by_its_own_name(programs: Programs) -> None:
    @tracked
    async def forgotten() -> None: ...

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _ = forgotten()
        del _
        gc.collect()
    assert any("forgotten' was never awaited" in str(each.message) for each in caught)
    assert programs() == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_no_object_of_the_program_is_kept(programs: Programs) -> None:
    class Heavy:
        pass

    @tracked
    def carries(heavy: Heavy) -> list[Heavy]:
        return [heavy]

    heavy = Heavy()
    before = sys.getrefcount(heavy)
    with contextlib.suppress(LookupError):
        carries(heavy)
    assert sys.getrefcount(heavy) == before
    assert only(programs).output_data == ["Heavy"]
