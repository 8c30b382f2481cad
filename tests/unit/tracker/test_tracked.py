"""A function behaves as without the decorator, whatever it is; and its calls are on record."""

import asyncio
import contextlib
import gc
import inspect
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, cast

import pytest

from ia_modules import tracked
from ia_modules.errors import InvalidArgument, PayloadError
from tests.unit.tracker.tracked_records import Programs, only


@tracked
def double(number: int) -> int:
    return 2 * number


@tracked
def both(numbers: list[int]) -> list[int]:
    return [double(number) for number in numbers]


@tracked
def main(numbers: list[int]) -> list[int]:
    return [*both(numbers), double(7)]


def test_the_outermost_call_is_an_execution_and_those_inside_are_its_steps(programs: Programs) -> None:
    assert main([1, 2]) == [2, 4, 14]
    recorded = only(programs)
    assert (recorded.name, recorded.status, recorded.input_data) == ("main", "completed", {"numbers": [1, 2]})
    assert recorded.output_data == [2, 4, 14]
    assert recorded.metadata == {"function": f"{__name__}.main"}
    assert recorded.statuses == dict.fromkeys(["both#1", "double#1", "both#1/double#1", "both#1/double#2"], "completed")
    assert recorded.calls["both#1/double#2"].input_data == {"number": 2}
    assert recorded.calls["both#1/double#2"].output_data == 4


def test_each_outermost_call_is_an_execution_of_its_own(programs: Programs) -> None:
    for number in range(3):
        double(number)
    assert [(each.name, each.output_data) for each in programs()] == [("double", 0), ("double", 2), ("double", 4)]


def test_times_are_those_of_the_calls_however_late_they_are_written(programs: Programs) -> None:
    @tracked
    def wait() -> None:
        time.sleep(0.6)  # the time of a call is what is looked at; a busy machine only makes it longer

    @tracked
    def waits() -> None:
        wait()

    waits()
    assert only(programs).calls["wait#1"].seconds >= 0.3


def test_an_exception_is_recorded_and_goes_on_as_it_is(programs: Programs) -> None:
    error = LookupError("no data")

    @tracked
    def fail() -> None:
        raise error

    @tracked
    def goes_on() -> str:
        with contextlib.suppress(LookupError):
            fail()
        return "done"

    @tracked
    def falls() -> None:
        fail()

    assert goes_on() == "done"
    with pytest.raises(LookupError) as raised:
        falls()
    assert raised.value is error
    assert error.__cause__ is error.__context__ is None
    assert not hasattr(error, "__notes__")
    well, badly = programs()
    assert (well.status, badly.status, badly.error) == ("completed", "failed", ("LookupError", "no data"))
    assert well.calls["fail#1"].error == badly.calls["fail#1"].error == ("LookupError", "no data")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SystemExit(0), "completed"),
        (SystemExit(), "completed"),
        (SystemExit(3), "failed"),
        (SystemExit("no"), "failed"),
        (KeyboardInterrupt(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (StopIteration(3), "failed"),
        (MemoryError(), "failed"),
    ],
)
def test_what_ends_a_program_is_passed_on(programs: Programs, error: BaseException, status: str) -> None:
    @tracked
    def leave() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        leave()
    assert raised.value is error
    assert only(programs).status == status


def test_the_functions_own_objects_are_handed_through(programs: Programs) -> None:
    given_object, lines = object(), iter("ab")

    @tracked
    def same(*args: object, **kwargs: object) -> tuple[object, ...]:
        return (*args, kwargs["deep"])

    deep = {"deep": {"lines": lines, "set": {1}}}
    result = same(given_object, deep=deep)
    assert result[0] is given_object
    assert result[1] is deep
    assert next(lines) == "a"
    recorded = only(programs)
    assert recorded.input_data == {
        "args": ["object"],
        "kwargs": {"deep": {"deep": {"lines": "str_ascii_iterator", "set": [1]}}},
    }
    assert recorded.output_data == ["object", {"deep": {"lines": "str_ascii_iterator", "set": [1]}}]


def test_arguments_and_result_may_be_left_out_and_the_name_chosen(programs: Programs) -> None:
    @tracked(name="sign in", record_input=False, record_output=False)
    def sign_in(password: str) -> str:
        return f"token of {password}"

    assert sign_in("secret") == "token of secret"
    recorded = only(programs)
    assert (recorded.name, recorded.input_data, recorded.output_data) == ("sign in", None, None)


def test_it_looks_like_the_function() -> None:
    def plain(a: int, b: str = "x") -> bool:
        """Does it."""
        return bool(a and b)

    async def coroutine() -> None: ...

    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    for function, is_one in (
        (plain, inspect.isfunction),
        (coroutine, inspect.iscoroutinefunction),
        (generator, inspect.isgeneratorfunction),
        (async_generator, inspect.isasyncgenfunction),
    ):
        decorated = tracked(cast("Callable[..., Any]", function))
        assert is_one(decorated)
        assert (decorated.__name__, decorated.__doc__) == (function.__name__, function.__doc__)
        assert inspect.signature(decorated) == inspect.signature(function)


@pytest.mark.parametrize("wrong", [int, cast("Any", classmethod)(len), property(len), 7, None.__class__])
def test_what_is_no_function_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"@tracked.*expected a function; below @classmethod"):
        tracked(wrong)


def test_a_name_that_cannot_be_stored_is_refused_at_once() -> None:
    with pytest.raises(PayloadError, match="name of a tracked function"):
        tracked(name="a\0b")(len)


def test_methods_of_every_kind(programs: Programs) -> None:
    class Shop:
        @tracked
        def sell(self, sku: str) -> str:
            return self.priced(sku) + self.stamp()

        @classmethod
        @tracked
        def priced(cls, sku: str) -> str:
            return f"{cls.__name__}:{sku}"

        @staticmethod
        @tracked
        def stamp() -> str:
            return "!"

        @property
        @tracked
        def name(self) -> str:
            return "shop"

    assert Shop().sell("a") == "Shop:a!"
    assert Shop().name == "shop"
    sold, name = programs()
    assert sold.input_data == {"self": "Shop", "sku": "a"}
    assert sold.statuses == {"priced#1": "completed", "stamp#1": "completed"}
    assert name.output_data == "shop"


def test_wrong_arguments_fail_as_without_the_decorator(programs: Programs) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'nothing'"):
        cast("Any", double)(1, nothing=2)
    recorded = only(programs)
    assert (recorded.status, recorded.input_data) == ("failed", {"args": [1], "kwargs": {"nothing": 2}})


# Coroutines


async def test_calls_that_run_at_the_same_time_stay_beside_each_other(programs: Programs) -> None:
    barrier = asyncio.Barrier(3)

    @tracked
    async def inner(name: str) -> str:
        await barrier.wait()
        return name

    @tracked
    async def part(name: str) -> str:
        await barrier.wait()
        return await inner(name)

    @tracked
    async def whole() -> list[str]:
        return list(await asyncio.gather(*map(part, "abc")))

    assert await whole() == ["a", "b", "c"]
    recorded = await asyncio.to_thread(only, programs)
    names = {path: call.output_data for path, call in recorded.calls.items()}
    assert {names[f"part#{number}"] for number in (1, 2, 3)} == {"a", "b", "c"}
    assert all(names[f"part#{number}/inner#1"] == names[f"part#{number}"] for number in (1, 2, 3))
    assert len(names) == 6


async def test_a_cancelled_call_is_cancelled_on_record(programs: Programs) -> None:
    begun = asyncio.Event()

    @tracked
    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    @tracked
    async def outer() -> None:
        await wait()

    task = asyncio.create_task(outer())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    recorded = await asyncio.to_thread(only, programs)
    assert (recorded.status, recorded.statuses) == ("cancelled", {"wait#1": "cancelled"})


async def test_it_never_gives_way_to_others_where_the_function_does_not(programs: Programs) -> None:
    turns: list[str] = []

    @tracked
    async def at_once() -> None:
        turns.append("call")

    @tracked
    async def twice() -> None:
        await at_once()
        await at_once()

    other = asyncio.create_task(asyncio.sleep(0), name="other")
    asyncio.get_running_loop().call_soon(turns.append, "other")
    await twice()
    await other
    assert turns == ["call", "call", "other"]
    assert (await asyncio.to_thread(only, programs)).status == "completed"


async def test_what_outlives_its_program_is_one_of_its_own(programs: Programs) -> None:
    go_on = asyncio.Event()

    @tracked
    async def late() -> None:
        await go_on.wait()
        double(1)

    @tracked
    async def begins() -> asyncio.Task[None]:
        async def in_the_background() -> None:
            await go_on.wait()
            double(2)

        return asyncio.create_task(in_the_background())

    task = await begins()
    go_on.set()
    await task
    assert [(each.name, each.statuses) for each in await asyncio.to_thread(programs)] == [
        ("begins", {}),
        ("double", {}),
    ]


# Generators


def test_a_generator_is_a_call_from_its_first_step_to_its_end(programs: Programs) -> None:
    @tracked
    def rows(count: int) -> Generator[int, str, str]:
        got = ""
        for number in range(count):
            double(number)
            got += (yield number) or ""
        return got

    @tracked
    def reads() -> str:
        generator = rows(2)
        assert next(generator) == 0
        double(10)
        assert generator.send("a") == 1
        with pytest.raises(StopIteration) as stop:
            generator.send("b")
        return stop.value.value

    assert reads() == "ab"
    recorded = only(programs)
    assert {path: call.output_data for path, call in recorded.calls.items()} == {
        "rows#1": "ab",
        "double#1": 20,
        "rows#1/double#1": 0,
        "rows#1/double#2": 2,
    }


def test_a_generator_that_is_closed_early_is_cancelled_and_one_that_raises_failed(programs: Programs) -> None:
    ended: list[str] = []

    @tracked
    def rows(name: str) -> Iterator[int]:
        try:
            yield 1
            if name == "raises":
                raise LookupError(name)
            yield 2
        finally:
            ended.append(name)

    @tracked
    def reads() -> None:
        for _ in rows("left"):
            break
        gc.collect()
        closed = cast("Generator[int]", rows("closed"))
        next(closed)
        closed.close()
        with pytest.raises(LookupError):
            list(rows("raises"))
        never = rows("never begun")
        del never

    reads()
    assert ended == ["left", "closed", "raises"]
    calls = only(programs).calls
    assert {call.input_data["name"]: call.status for call in calls.values()} == {
        "left": "cancelled",
        "closed": "cancelled",
        "raises": "failed",
    }
    assert calls["rows#1"].error == ("GeneratorExit", "It was closed before its end.")


def test_an_abandoned_program_is_cancelled_when_the_process_ends(programs: Programs) -> None:
    @tracked
    def rows() -> Iterator[int]:
        yield from range(3)

    left = rows()
    next(left)
    recorded = only(programs)
    assert (recorded.status, recorded.error[0]) == ("cancelled", "ProgramEnded")
    assert list(left) == [1, 2]


async def test_an_async_generator_that_is_left_is_closed_once_by_its_loop(programs: Programs) -> None:
    ended: list[str] = []

    @tracked
    async def rows(name: str) -> AsyncIterator[int]:
        try:
            for number in range(3):
                await asyncio.sleep(0)
                yield number
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    @tracked
    async def reads() -> list[int]:
        async for _ in rows("left"):
            break
        return [number async for number in rows("read")]

    problems: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))
    assert await reads() == [0, 1, 2]
    gc.collect()
    kept = rows("kept")
    assert await anext(kept) == 0
    await loop.shutdown_asyncgens()
    assert sorted(ended) == ["kept", "left", "read"]
    assert problems == []
    read, kept_one = await asyncio.to_thread(programs)
    assert (read.status, kept_one.status) == ("completed", "cancelled")
