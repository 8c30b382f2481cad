"""Steps within a step, on every journal: recorded, answered from the record, made again, refused."""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from ia_modules import current
from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import BlockingCallOnLoop, InnerStepConflict, InvalidArgument, StepError, StepTimeout
from ia_modules.models import ExecutionId, ExecutionStatus, StepExecutionRecord, StepStatus
from ia_modules.paths import GRAPH, run_path
from ia_modules.pipeline.core import Inner, Step, StepContext
from ia_modules.pipeline.journal import OperatorJournal
from ia_modules.pipeline.runner import Runner
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.unit.pipeline.factories import document, task
from tests.unit.pipeline.programs import Code, pipeline_of, recorded, started
from tests.unit.worker.queue import until

THINK = run_path(GRAPH, "think", 1)


async def inner_of(journal: OperatorJournal, execution_id: ExecutionId) -> list[StepExecutionRecord]:
    return await journal.get_execution_steps(execution_id, within=THINK)


def lines_of(steps: list[StepExecutionRecord]) -> list[tuple[str, int, int, str, Any]]:
    return [(step.step_id, step.iteration, step.attempt, step.status.value, step.output_data) for step in steps]


async def fails_then_resumes(
    journal: OperatorJournal, think: Code, **keys: Any
) -> tuple[dict[str, Any], list[StepExecutionRecord], ExecutionId]:
    """Run a step to its failure, and resume it: the result, what is on record within it, and the execution."""
    pipeline = pipeline_of(document(task("think", **keys)), {"think": think})
    run = await Runner(journal).start(pipeline)
    with pytest.raises(StepError):
        await run.to_end()
    result = await (await Runner(journal).resume(pipeline, run.execution_id)).to_end()
    return result, await inner_of(journal, run.execution_id), run.execution_id


async def test_calls_are_on_record_with_arguments_results_and_their_numbers(journal: OperatorJournal) -> None:
    async def search(query: str, limit: int = 5) -> list[str]:
        return [query] * limit

    def count(words: list[str]) -> int:
        assert threading.current_thread() is not threading.main_thread()
        return len(words)

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        found = await current.context.step("search", search, "a", limit=2)
        more, number = await asyncio.gather(
            current.context.step("search", search, "b"), current.context.step("count", count, found)
        )
        return {"found": found, "more": len(more), "number": number}

    run = await started(journal, document("think"), think=think)
    result = await run.to_end()
    assert result["output"]["think"] == {"found": ["a", "a"], "more": 5, "number": 2}
    inner = await inner_of(journal, run.execution_id)
    assert sorted((step.step_id, step.iteration, step.output_data, step.input_data) for step in inner) == [
        ("count", 1, 2, {"words": ["a", "a"]}),
        ("search", 1, ["a", "a"], {"query": "a", "limit": 2}),
        ("search", 2, ["b"] * 5, {"query": "b"}),
    ]
    assert {(step.status, step.step_type, step.within) for step in inner} == {(StepStatus.COMPLETED, "inner", THINK)}
    execution, steps = await recorded(journal, run.execution_id)
    assert (len(steps), execution.completed_steps, execution.total_steps) == (1, 1, 1)


async def test_what_completed_is_not_called_again_when_the_step_is_made_again(journal: OperatorJournal) -> None:
    calls: Counter[str] = Counter()

    async def work(name: str) -> dict[str, str]:
        calls[name] += 1
        if name == "b" and calls[name] == 1:
            raise ValueError("not yet")
        return {"from": name}

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        step = current.context.step
        return {"all": [await step("work", work, name) for name in ("a", "b", "c")]}

    result, inner, _ = await fails_then_resumes(journal, think)
    assert result["output"]["think"] == {"all": [{"from": name} for name in ("a", "b", "c")]}
    assert calls == {"a": 1, "b": 2, "c": 1}
    assert lines_of(inner) == [
        ("work", 1, 1, "completed", {"from": "a"}),
        ("work", 2, 1, "failed", None),
        ("work", 2, 2, "completed", {"from": "b"}),
        ("work", 3, 1, "completed", {"from": "c"}),
    ]
    assert (inner[1].error_type, inner[1].error_message) == ("ValueError", "not yet")


@pytest.mark.parametrize(("inner_again", "calls"), [("keep", 1), ("again", 2)])
async def test_a_declared_retry_of_the_step_keeps_what_completed_or_makes_it_again(
    journal: OperatorJournal, inner_again: str, calls: int
) -> None:
    answers = iter(range(1, 10))

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        answer = await current.context.step("ask", lambda: next(answers))
        if current.context.attempt == 1:
            raise ValueError("cannot be parsed")
        return {"answer": answer}

    retry = {"max_attempts": 2, "initial_delay": 0, "inner": inner_again}
    run = await started(journal, document(task("think", error_handling={"retry": retry})), think=think)
    assert (await run.to_end())["output"]["think"] == {"answer": calls}
    assert len(await inner_of(journal, run.execution_id)) == calls


async def test_other_arguments_than_those_on_record_are_refused(journal: OperatorJournal) -> None:
    questions = ["what is on record"]

    async def search(query: str) -> str:
        return f"about {query}"

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        await current.context.step("search", search, questions[0])
        raise ValueError("first time")

    pipeline = pipeline_of(document("think"), {"think": think})
    run = await Runner(journal).start(pipeline)
    with pytest.raises(StepError):
        await run.to_end()
    questions[0] = "something else"
    with pytest.raises(StepError) as failed:
        await (await Runner(journal).resume(pipeline, run.execution_id)).to_end()
    assert isinstance(failed.value.__cause__, InnerStepConflict)
    assert "search#1 was recorded for other arguments" in str(failed.value)
    assert len(await inner_of(journal, run.execution_id)) == 1


async def test_a_key_stands_for_a_call_in_whatever_order_it_comes(journal: OperatorJournal) -> None:
    calls: Counter[str] = Counter()

    async def fetch(url: str) -> str:
        calls[url] += 1
        return url.upper()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        urls = ["a", "b", "c"] if current.context.attempt == 1 else ["c", "a", "d", "a"]
        got = await asyncio.gather(*(current.context.step(Inner("fetch", url), fetch, url) for url in urls))
        if current.context.attempt == 1:
            raise ValueError("again")
        return {"got": got}

    result, inner, _ = await fails_then_resumes(journal, think)
    assert result["output"]["think"] == {"got": ["C", "A", "D", "A"]}
    assert calls == dict.fromkeys("abcd", 1)
    assert sorted((step.step_id, step.iteration) for step in inner) == [(f"fetch[{key}]", 1) for key in "abcd"]


async def test_a_key_that_comes_for_other_arguments_is_refused_at_once(journal: OperatorJournal) -> None:
    async def fetch(url: str) -> str:
        return url

    async def think(data: dict[str, Any]) -> None:
        await current.context.step(Inner("fetch", "one"), fetch, "a")
        await current.context.step(Inner("fetch", "one"), fetch, "b")

    run = await started(journal, document("think"), think=think)
    with pytest.raises(StepError) as failed:
        await run.to_end()
    assert isinstance(failed.value.__cause__, InnerStepConflict)


async def test_a_failure_is_raised_to_the_caller_who_may_go_on(journal: OperatorJournal) -> None:
    async def broken() -> None:
        raise LookupError("no such page")

    async def leaves() -> None:
        raise SystemExit(3)

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        messages: list[str] = []
        for each in (broken, leaves):
            try:
                await current.context.step("try", each)
            except (LookupError, StepError) as error:
                messages.append(type(error).__name__)
        return {"said": messages}

    run = await started(journal, document("think"), think=think)
    assert (await run.to_end())["output"]["think"] == {"said": ["LookupError", "StepExited"]}
    inner = await inner_of(journal, run.execution_id)
    assert [(step.status, step.error_type) for step in inner] == [
        (StepStatus.FAILED, "LookupError"),
        (StepStatus.FAILED, "StepExited"),
    ]


async def test_a_retry_of_its_own_makes_attempts_of_the_call(journal: OperatorJournal) -> None:
    calls = Counter[str]()

    async def flaky() -> int:
        calls["flaky"] += 1
        if calls["flaky"] < 3:
            raise ConnectionError("busy")
        return calls["flaky"]

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        call = Inner("flaky", retry={"max_attempts": 3, "initial_delay": 0, "retry_on": ["ConnectionError"]})
        return {"third": await current.context.step(call, flaky)}

    run = await started(journal, document("think"), think=think)
    assert (await run.to_end())["output"]["think"] == {"third": 3}
    assert [(step.attempt, step.status.value) for step in await inner_of(journal, run.execution_id)] == [
        (1, "failed"),
        (2, "failed"),
        (3, "completed"),
    ]


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_call_has_a_time_limit_of_its_own(journal: OperatorJournal, is_async: bool) -> None:
    release = threading.Event()

    async def hang() -> None:
        await asyncio.Event().wait()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        try:
            await current.context.step(Inner("slow", timeout_seconds=0.05), hang if is_async else release.wait)
        except StepTimeout as late:
            return {"said": str(late)}
        return {}

    run = await started(journal, document("think"), think=think)
    output = (await run.to_end())["output"]["think"]
    release.set()
    assert "longer than its timeout_seconds, 0.05" in output["said"]
    [slow] = await inner_of(journal, run.execution_id)
    assert (slow.status, slow.error_type) == (StepStatus.FAILED, "StepTimeout")


async def test_what_the_code_stops_waiting_for_is_cancelled_on_record(journal: OperatorJournal) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(0.01):
                await current.context.step("hang", hang)
        except TimeoutError:
            return {"after": await current.context.step("quick", asyncio.sleep, 0)}
        return {}

    run = await started(journal, document("think"), think=think)
    assert (await run.to_end())["output"]["think"] == {"after": None}
    assert lines_of(await inner_of(journal, run.execution_id)) == [
        ("hang", 1, 1, "cancelled", None),
        ("quick", 1, 1, "completed", None),
    ]


async def test_what_is_open_ends_with_the_step(journal: OperatorJournal) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        task = asyncio.ensure_future(current.context.step("hang", hang))
        await begun.wait()
        kept.append(task)
        return {"left": "it"}

    kept: list[asyncio.Future[Any]] = []
    run = await started(journal, document("think"), think=think)
    assert (await run.to_end())["status"] == "completed"
    [hung] = await inner_of(journal, run.execution_id)
    assert hung.status is StepStatus.CANCELLED
    kept[0].cancel()


async def test_nothing_is_called_within_a_step_that_has_ended(journal: OperatorJournal) -> None:
    contexts: list[StepContext] = []
    calls: list[str] = []

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        contexts.append(current.context)
        return {}

    run = await started(journal, document("think"), think=think)
    await run.to_end()
    with pytest.raises(StepError, match=r"think#1, has ended"):
        await contexts[0].step("late", calls.append, "late")
    assert calls == []


async def test_calls_within_calls_stand_within_them(journal: OperatorJournal) -> None:
    async def leaf(number: int) -> int:
        current.context.log("at the leaf")
        return number * 2

    async def branch(number: int) -> int:
        return await current.context.step("leaf", leaf, number) + await current.context.step("leaf", leaf, 10)

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        return {"sum": await current.context.step("branch", branch, 1)}

    run = await started(journal, document("think"), think=think)
    assert (await run.to_end())["output"]["think"] == {"sum": 22}
    path = run_path(THINK, "branch", 1)
    assert lines_of(await journal.get_execution_steps(run.execution_id, within=path)) == [
        ("leaf", 1, 1, "completed", 2),
        ("leaf", 2, 1, "completed", 20),
    ]
    page = await journal.changes(run.execution_id, within=path)
    assert [line.message for line in page.logs] == ["at the leaf", "at the leaf"]


async def test_what_a_call_calls_stands_within_it_whichever_context_it_uses(journal: OperatorJournal) -> None:
    async def leaf(number: int) -> int:
        return number

    class Think(Step):
        async def run(self, data: dict[str, Any]) -> dict[str, Any]:
            async def branch(number: int) -> int:
                return await self.context.step("leaf", leaf, number)

            messages = [await self.context.step("branch", branch, 1), await self.context.step("leaf", leaf, 2)]
            if self.context.attempt == 1:
                raise ValueError("again")  # now the branch is answered, and its leaf is not called
            return {"said": messages}

    result, inner, _ = await fails_then_resumes(journal, Think)
    assert result["output"]["think"] == {"said": [1, 2]}
    assert [(step.step_id, step.iteration, step.attempt) for step in inner] == [("branch", 1, 1), ("leaf", 1, 1)]


async def test_a_plain_function_waits_for_its_calls_which_run_in_its_own_thread(journal: OperatorJournal) -> None:
    calls: Counter[str] = Counter()
    threads: set[int] = set()

    def read(name: str) -> str:
        calls[name] += 1
        threads.add(threading.get_ident())
        return current.context.call("inside", str.upper, name)

    async def fetch(name: str) -> str:
        calls[name] += 1
        return name

    def think(data: dict[str, Any]) -> dict[str, Any]:
        context = current.context
        got = [context.call("read", read, "a"), context.call("fetch", fetch, "b")]
        got.append(context.call(Inner("slow", timeout_seconds=60), str.upper, "c"))
        if context.attempt == 1:
            threads.add(threading.get_ident())
            raise ValueError("again")
        return {"got": got}

    result, inner, execution_id = await fails_then_resumes(journal, think)
    assert result["output"]["think"] == {"got": ["A", "b", "C"]}
    assert calls == {"a": 1, "b": 1}
    assert len(threads) == 1
    assert [step.step_id for step in inner] == ["read", "fetch", "slow"]
    [inside] = await journal.get_execution_steps(execution_id, within=run_path(THINK, "read", 1))
    assert (inside.step_id, inside.output_data) == ("inside", "A")


async def test_more_plain_steps_than_there_are_threads_wait_for_calls_at_once(journal: OperatorJournal) -> None:
    def think(data: dict[str, Any]) -> dict[str, Any]:
        return {"got": current.context.call(Inner("slow", timeout_seconds=60), str.upper, "c")}

    names = [f"think{number}" for number in range(80)]
    written = document("start", *names, paths=[("start", name) for name in names])
    run = await started(journal, written, start=think, **dict.fromkeys(names, think))
    assert (await run.to_end())["status"] == "completed"


async def test_call_on_a_loop_names_what_to_await(journal: OperatorJournal) -> None:
    async def think(data: dict[str, Any]) -> None:
        current.context.call("read", str.upper, "a")

    run = await started(journal, document("think"), think=think)
    with pytest.raises(StepError) as failed:
        await run.to_end()
    assert isinstance(failed.value.__cause__, BlockingCallOnLoop)
    assert "await context.step()" in str(failed.value)


@pytest.mark.parametrize("name", ["step", "sleep"])
async def test_on_an_event_loop_of_its_own_it_is_refused(journal: OperatorJournal, name: str) -> None:
    async def call(context: StepContext) -> None:
        await (context.step("double", str.upper, "a") if name == "step" else context.sleep(0.01))

    def think(data: dict[str, Any]) -> None:
        asyncio.run(call(current.context))

    run = await started(journal, document("think"), think=think)
    with pytest.raises(StepError, match="an event loop of its own"):
        await run.to_end()
    assert await inner_of(journal, run.execution_id) == []


@dataclass
class Score:
    value: Decimal
    at: date
    image: bytes = b""


async def test_a_result_comes_back_as_its_annotation_has_it_live_and_from_the_record(journal: OperatorJournal) -> None:
    async def score(text: str) -> list[Score]:
        return [Score(Decimal("0.10"), date(2026, 1, 2), b"\xff")]

    seen: list[Any] = []

    async def think(data: dict[str, Any]) -> dict[str, Any]:
        seen.append(await current.context.step("score", score, "a"))
        if current.context.attempt == 1:
            raise ValueError("again")
        return {}

    _, [row], _ = await fails_then_resumes(journal, think)
    assert seen == [[Score(Decimal("0.10"), date(2026, 1, 2), b"\xff")]] * 2
    assert row.output_data == [{"value": "0.10", "at": "2026-01-02", "image": "_w=="}]


async def test_a_result_that_is_not_what_its_annotation_says_fails_the_call(journal: OperatorJournal) -> None:
    def score() -> Score:
        return {"value": "much", "at": "2026-01-02"}  # type: ignore[return-value]

    async def think(data: dict[str, Any]) -> None:
        await current.context.step("score", score)

    run = await started(journal, document("think"), think=think)
    with pytest.raises(StepError, match=r"does not fit its annotation"):
        await run.to_end()
    [scored] = await inner_of(journal, run.execution_id)
    assert scored.status is StepStatus.FAILED


async def test_a_result_that_cannot_be_kept_fails_the_call(journal: OperatorJournal) -> None:
    async def think(data: dict[str, Any]) -> None:
        await current.context.step("open", object)

    run = await started(journal, document("think"), think=think)
    with pytest.raises(StepError, match="result of inner step 'open'"):
        await run.to_end()
    [opened] = await inner_of(journal, run.execution_id)
    assert opened.status is StepStatus.FAILED


async def test_the_key_for_effects_outside_is_the_same_in_every_attempt_and_another_for_every_call(
    journal: OperatorJournal,
) -> None:
    keys: list[str] = []

    async def pay() -> None:
        keys.append(current.context.idempotency_key)
        if len(keys) == 1:
            raise ConnectionError

    async def think(data: dict[str, Any]) -> None:
        await current.context.step("pay", pay)
        await current.context.step("pay", pay)

    _, _, execution_id = await fails_then_resumes(journal, think)
    assert keys == [f"{execution_id}/think#1/pay/{number}" for number in (1, 1, 2)]


async def test_a_sleep_is_on_record_with_its_time(journal: OperatorJournal) -> None:
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        await current.context.sleep(0.01)
        await current.context.sleep(0)
        if current.context.attempt == 1:
            raise ValueError("again")
        return {"rested": True}

    result, inner, _ = await fails_then_resumes(journal, think)
    assert result["output"]["think"] == {"rested": True}
    assert [(step.step_id, step.iteration, step.status.value) for step in inner] == [
        ("sleep", 1, "completed"),
        ("sleep", 2, "completed"),
    ]
    assert inner[0].wake_at is not None


async def test_outside_of_a_run_the_functions_are_just_called() -> None:
    async def search(query: str) -> str:
        return query.upper()

    class Think(Step):
        async def run(self, data: dict[str, Any]) -> Any:
            return await self.context.step("search", search, data["query"])

    assert await Think("think").run({"query": "a"}) == "A"
    assert await current.context.step(Inner("plain", "key"), str.upper, "b") == "B"
    await current.context.sleep(0)
    assert await asyncio.to_thread(current.context.call, "search", search, "c") == "C"
    assert await asyncio.to_thread(current.context.call, "plain", str.upper, "d") == "D"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retry": {"max_attempts": 0}}, "max_attempts"),
        ({"retry": {"max_atempts": 2}}, "max_atempts"),
        ({"timeout_seconds": 0}, "more than 0"),
        ({"timeout_seconds": float("nan")}, "more than 0"),
        ({"effect": "maybe"}, "one of pure"),
    ],
)
def test_what_a_call_cannot_be_is_said_when_it_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Inner("search", **options)


async def test_a_cancelled_execution_cancels_its_calls(journal: OperatorJournal) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def think(data: dict[str, Any]) -> None:
        await current.context.step("hang", hang)

    run = await started(journal, document("think"), think=think)
    running = asyncio.ensure_future(run.to_end())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    execution, _ = await recorded(journal, run.execution_id)
    [hung] = await inner_of(journal, run.execution_id)
    assert (execution.status, hung.status) == (ExecutionStatus.CANCELLED, StepStatus.CANCELLED)


async def test_after_a_crash_a_sleep_ends_at_the_time_on_record(database: DatabaseManager) -> None:
    async def think(data: dict[str, Any]) -> dict[str, Any]:
        await current.context.sleep(100_000)
        return {"attempt": current.context.attempt}

    pipeline = pipeline_of(document("think"), {"think": think})
    async with ExecutionTracker(database) as tracker, ExecutionTracker(database) as other:
        run = await Runner(tracker).start(pipeline)
        lost = asyncio.ensure_future(run.to_end())
        [asleep] = await until(partial(inner_of, tracker, run.execution_id), lambda rows: len(rows) == 1)
        assert asleep.wake_at is not None
        assert asleep.wake_at > asleep.created_at + timedelta(days=1)  # two moments on record: nobody waits for them
        earlier = {"now": asleep.created_at, "id": asleep.step_execution_id}
        await database.execute_async("UPDATE step_executions SET wake_at = :now WHERE step_execution_id = :id", earlier)

        result = await (await Runner(other).resume(pipeline, run.execution_id)).to_end()
        assert result["output"]["think"] == {"attempt": 2}
        assert lines_of(await inner_of(other, run.execution_id)) == [("sleep", 1, 1, "completed", None)]
        lost.cancel()
        await asyncio.wait([lost])
