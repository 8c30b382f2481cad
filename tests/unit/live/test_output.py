"""What is read for one who follows output is read for all who do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import ExecutionNotFound
from ia_modules.live.output import OutputReading
from ia_modules.models import ExecutionId, LogLevel, PipelineId, StepExecutionId, StepStatus, new_id
from ia_modules.pieces import OutputPage
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import LogLine, StepUpdate, Transition

EXECUTION = ExecutionId("0193a1b2-0000-7000-8000-000000000001")


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncIterator[ExecutionTracker]:
    async with ExecutionTracker(database) as tracker:
        yield tracker


@pytest.fixture
async def pipeline_id(tracker: ExecutionTracker) -> PipelineId:
    return await tracker.register_pipeline("talking", "Talking")


class Counting:
    """Reads with a tracker, a few pieces at once, and counts how often after which cursor."""

    def __init__(self, tracker: ExecutionTracker) -> None:
        self._tracker = tracker
        self.after: Counter[str | int | None] = Counter()
        self.began, self.opened = asyncio.Event(), asyncio.Event()
        self.opened.set()

    async def __call__(
        self, execution_id: ExecutionId, after: str | int | None, step_execution_id: str | None
    ) -> OutputPage:
        self.after[after] += 1
        self.began.set()
        page = await self._tracker.output(execution_id, after, step_execution_id=step_execution_id, limit=3)
        await self.opened.wait()
        return page


async def begun(tracker: ExecutionTracker, pipeline_id: PipelineId) -> tuple[ExecutionId, StepExecutionId]:
    execution_id = await tracker.start_execution(pipeline_id)
    return execution_id, await tracker.start_step_execution(execution_id, "talk", "Talk", "task")


async def say(tracker: ExecutionTracker, execution_id: ExecutionId, attempt: StepExecutionId, *texts: str) -> None:
    lines = tuple(
        LogLine(log_id=new_id(), message=text, level=LogLevel.OUTPUT, step_execution_id=attempt, logger="answer")
        for text in texts
    )
    await tracker.record(Transition(execution_id=execution_id, writer=tracker.owner, logs=lines))


async def everything(reading: OutputReading, execution_id: ExecutionId, attempt: StepExecutionId) -> str:
    """What an attempt gave, until it has ended."""
    text, cursor = "", None
    async with reading.following(execution_id, attempt) as pages:
        while True:
            page = await pages.after(cursor)
            cursor, text = page.cursor, text + "".join(piece.text for piece in page.items)
            if page.is_over and not page.more:
                return text
            await asyncio.sleep(0)


async def test_a_hundred_who_follow_read_each_page_once(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution_id, attempt = await begun(tracker, pipeline_id)
    words = [f"{number} " for number in range(30)]
    await say(tracker, execution_id, attempt, *words)
    await tracker.record(
        Transition(
            execution_id=execution_id,
            writer=tracker.owner,
            updates=(StepUpdate(step_execution_id=attempt, status=StepStatus.COMPLETED),),
        )
    )
    read = Counting(tracker)
    reading = OutputReading(read)
    texts = await asyncio.gather(*(everything(reading, execution_id, attempt) for _ in range(100)))
    assert texts == ["".join(words)] * 100
    assert 10 <= read.after.total() <= 20  # of ten pages


async def test_who_asks_after_a_reading_began_gets_what_was_written_meanwhile(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id, attempt = await begun(tracker, pipeline_id)
    read = Counting(tracker)
    async with OutputReading(read).following(execution_id, None) as pages:
        read.opened.clear()
        early = asyncio.create_task(pages.after(None))
        await read.began.wait()
        await tracker.output(execution_id, limit=1)  # by now the early one has read that there is nothing
        await say(tracker, execution_id, attempt, "new")
        late = asyncio.create_task(pages.after(None))
        await asyncio.sleep(0)
        read.opened.set()
        assert "".join(piece.text for piece in (await late).items) == "new"
        await early


async def test_a_page_that_was_kept_says_that_there_is_more(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    """Whether it is so is asked of the rows again: more may have come since."""
    execution_id, attempt = await begun(tracker, pipeline_id)
    await say(tracker, execution_id, attempt, "one")
    reading = OutputReading(Counting(tracker))
    async with reading.following(execution_id, None) as pages, reading.following(execution_id, None):
        first = await pages.after(None)
        await say(tracker, execution_id, attempt, "two")
        again = await pages.after(None)
        assert (first.items, first.more, again.items, again.more) == (first.items, False, first.items, True)
        assert [piece.text for piece in (await pages.after(again.cursor)).items] == ["two"]


async def test_for_one_alone_nothing_is_kept(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution_id, attempt = await begun(tracker, pipeline_id)
    await say(tracker, execution_id, attempt, "one")
    read = Counting(tracker)
    async with OutputReading(read).following(execution_id, None) as pages:
        await pages.after(None)
        await say(tracker, execution_id, attempt, "two")
        assert [piece.text for piece in (await pages.after(None)).items] == ["one", "two"]


async def test_one_who_leaves_takes_nothing_from_the_others(tracker: ExecutionTracker, pipeline_id: PipelineId) -> None:
    execution_id, attempt = await begun(tracker, pipeline_id)
    await say(tracker, execution_id, attempt, "here")
    async with OutputReading(Counting(tracker)).following(execution_id, None) as pages:
        leaving, staying = asyncio.create_task(pages.after(None)), asyncio.create_task(pages.after(None))
        await asyncio.sleep(0)
        leaving.cancel()
        assert [piece.text for piece in (await staying).items] == ["here"]
        with pytest.raises(asyncio.CancelledError):
            await leaving


async def test_all_who_share_a_reading_hear_of_its_failure_and_the_next_one_is_new(tracker: ExecutionTracker) -> None:
    read = Counting(tracker)
    async with OutputReading(read).following(EXECUTION, None) as pages:
        failures = await asyncio.gather(pages.after(None), pages.after(None), return_exceptions=True)
        assert [type(failure) for failure in failures] == [ExecutionNotFound] * 2
        assert read.after[None] == 1
        with pytest.raises(ExecutionNotFound):
            await pages.after(None)
        assert read.after[None] == 2


async def test_of_much_output_a_bounded_part_is_kept_and_nothing_when_nobody_follows(
    tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id, attempt = await begun(tracker, pipeline_id)
    await say(tracker, execution_id, attempt, *(str(number) for number in range(300)))
    read = Counting(tracker)
    reading = OutputReading(read)
    async with reading.following(execution_id, None) as pages, reading.following(execution_id, None) as same:
        assert same is pages
        cursors: list[str | int | None] = [None]
        while (page := await pages.after(cursors[-1])).more:
            cursors.append(page.cursor)
        before = read.after.total()
        for cursor in reversed(cursors):
            await pages.after(cursor)
        assert 75 <= read.after.total() - before < 100  # of a hundred pages of three, the last ten are kept
    async with reading.following(execution_id, None) as pages:
        await pages.after(cursors[-1])
        assert read.after[cursors[-1]] == 2
