import asyncio
import json
from typing import Any

import pytest

from ia_modules.database.driver import Params, Rows
from ia_modules.database.manager import DatabaseManager
from ia_modules.live import feed
from ia_modules.live.feed import RESYNC_LISTS, Feed, Follower, Hints, ListFollower, Page
from ia_modules.models import Changes, ExecutionId, PipelineId, RunPath
from ia_modules.paths import GRAPH
from ia_modules.pipeline.journal import PAGE_LIMIT
from ia_modules.tracker.execution_tracker import ExecutionTracker

PATIENCE_SECONDS = 60.0


def encode(changes: Changes) -> Page:
    """A page whose messages are the sequence numbers of the lines, and the one of the page."""
    rows = ",".join(str(line.sequence) for line in changes.logs)
    return Page(changes.after, changes.upto, changes.more, rows, str(changes.upto))


class CountingTracker(ExecutionTracker):
    """Counts how often changes are read."""

    reads = 0

    async def changes(
        self, execution_id: str, after: int = 0, *, within: RunPath = GRAPH, limit: int = PAGE_LIMIT
    ) -> Changes:
        self.reads += 1
        return await super().changes(execution_id, after, within=within, limit=limit)


@pytest.fixture
async def tracker(database: DatabaseManager):
    async with CountingTracker(database) as tracker:
        yield tracker


@pytest.fixture
async def pipeline_id(tracker: ExecutionTracker) -> PipelineId:
    return await tracker.register_pipeline("nightly", "Nightly import")


@pytest.fixture
async def execution_id(tracker: ExecutionTracker, pipeline_id: PipelineId) -> ExecutionId:
    return await tracker.start_execution(pipeline_id)


async def next_frame(follower: Follower | ListFollower) -> dict[str, Any]:
    frame = await follower.next(PATIENCE_SECONDS)
    assert frame is not None
    return json.loads(frame)


async def told_upto(follower: Follower, sequence: int) -> list[dict[str, Any]]:
    frames = [await next_frame(follower)]
    while frames[-1].get("upto", 0) < sequence:
        frames.append(await next_frame(follower))
    return frames


def page(after: int, upto: int, rows: str = "", *, more: bool = False) -> Page:
    return Page(after, upto, more, rows, f'"at {upto}"')


def test_pages_that_wait_become_one_that_says_the_last_of_the_execution() -> None:
    whole = feed.merged([page(0, 2, '"a"', more=True), page(2, 3), page(3, 7, '"b","c"')])
    assert json.loads(whole.frame) == {
        "type": "changes",
        "after": 0,
        "upto": 7,
        "more": False,
        "messages": ["a", "b", "c", "at 7"],
    }
    assert json.loads(page(1, 2).frame)["messages"] == ["at 2"]


async def test_a_change_is_read_and_encoded_once_for_all_followers(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    encoded: list[int] = []

    def counting(changes: Changes) -> Page:
        encoded.append(changes.upto)
        return encode(changes)

    feeds = Feed(tracker, database, counting)
    async with asyncio.TaskGroup() as tasks:
        begun = asyncio.Semaphore(0)

        async def follow() -> list[dict[str, Any]]:
            async with feeds.follow(execution_id, 1) as follower:
                begun.release()
                return await told_upto(follower, 3)

        following = [tasks.create_task(follow()) for _ in range(50)]
        for _ in following:
            await begun.acquire()
        assert feeds.execution_subscribers == 50
        await tracker.log(execution_id, "one")
        await tracker.log(execution_id, "two")
    for frames in (task.result() for task in following):
        assert [number for frame in frames for number in frame["messages"][:-1]] == [2, 3]
    assert len(encoded) <= 2
    assert tracker.reads < 50
    assert feeds.execution_subscribers == 0


async def test_who_comes_late_reads_alone_what_it_lacks_and_then_hears_what_all_hear(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_ROWS_PER_PAGE", 3)
    feeds = Feed(tracker, database, encode)
    for _ in range(10):
        await tracker.log(execution_id, "before")
    async with feeds.follow(execution_id, 11) as first, feeds.follow(execution_id, 4) as late:
        await tracker.log(execution_id, "now")
        assert [messages for frame in await told_upto(first, 12) if (messages := frame["messages"])] == [[12, 12]]
        frames = await told_upto(late, 12)
    assert [frame["after"] for frame in frames] == [4, *(frame["upto"] for frame in frames[:-1])]
    assert [number for frame in frames for number in frame["messages"][:-1]] == list(range(5, 13))


async def test_pages_stay_small_where_numbers_allow(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_CHARACTERS_PER_PAGE", 1)
    for _ in range(9):
        await tracker.log(execution_id, "line")
    async with Feed(tracker, database, encode).follow(execution_id, 0) as follower:
        frames = await told_upto(follower, 10)
    assert [frame["messages"] for frame in frames] == [
        [2, 2],
        [3, 3],
        [4, 4],
        [5, 5],
        [6, 6],
        [7, 7],
        [8, 8],
        [9, 9],
        [10, 10],
    ]
    assert [frame["more"] for frame in frames] == [True] * 8 + [False]


async def test_a_follower_that_is_too_slow_is_told_to_resync_and_reads_the_rest_from_the_rows(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_PAGES_KEPT", 2)
    monkeypatch.setattr(feed, "_PAGES_APART_SECONDS", 0)
    feeds = Feed(tracker, database, encode)
    async with feeds.follow(execution_id, 1) as slow, feeds.follow(execution_id, 1) as quick:
        for number in range(2, 8):
            await tracker.log(execution_id, "line")
            await told_upto(quick, number)
        assert await next_frame(slow) == {"type": "resync", "after": 1}
        frames = await told_upto(slow, 7)
    assert frames[0]["after"] == 1
    assert [number for frame in frames for number in frame["messages"][:-1]] == list(range(2, 8))


async def test_what_waits_for_a_follower_is_one_frame(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    feeds = Feed(tracker, database, encode)
    async with feeds.follow(execution_id, 1) as slow, feeds.follow(execution_id, 1) as quick:
        for number in range(2, 7):
            await tracker.log(execution_id, "line")
            await told_upto(quick, number)
        assert [frame["messages"] for frame in await told_upto(slow, 6)] == [[2, 3, 4, 5, 6, 6]]


async def test_nothing_for_a_while_is_said_so(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    feeds = Feed(tracker, database, encode)
    async with feeds.follow(execution_id, 1) as follower:
        await next_frame(follower)
        assert await follower.next(0.01) is None


async def test_who_has_everything_is_told_so_at_once(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    await tracker.log(execution_id, "line")
    await tracker.update_execution_status(execution_id, "completed")
    feeds = Feed(tracker, database, encode)
    async with feeds.follow(execution_id, 3) as knows, feeds.follow(execution_id, 1) as lacks:
        assert await next_frame(knows) == {"type": "changes", "after": 3, "upto": 3, "more": False, "messages": []}
        assert await next_frame(lacks) == {"type": "changes", "after": 1, "upto": 3, "more": False, "messages": [2, 3]}
        assert [await follower.next(0.01) for follower in (knows, lacks)] == [None, None]


async def test_every_write_past_the_journal_is_hinted_too(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    feeds = Feed(tracker, database, encode)
    async with feeds.follow_all() as follower:
        assert await next_frame(follower) == {"type": "resync"}
        assert await next_frame(follower) == {"type": "resync"}  # it listens now
        assert feeds.list_subscribers == 1
        for sequence, change in ((2, tracker.request_cancel), (3, tracker.take_over)):
            await change(execution_id)
            while (frame := await next_frame(follower)) == {"type": "resync"}:  # SQLite says so of every commit
                pass
            hint = {"execution_id": execution_id, "sequence": sequence, "status": "running"}
            assert frame == {"type": "hints", "items": [hint]}
    assert feeds.list_subscribers == 0


async def test_who_comes_while_the_last_one_leaves_is_told_what_changes(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    feeds = Feed(tracker, database, encode)
    first = feeds.follow_all()
    assert await next_frame(await first.__aenter__()) == {"type": "resync"}
    leaving = asyncio.create_task(first.__aexit__(None, None, None))
    await asyncio.sleep(0)  # it has begun to leave, as the old page does while the new one loads
    async with feeds.follow_all() as second:
        await leaving
        assert [await next_frame(second) for _ in range(2)] == [{"type": "resync"}] * 2  # the other one: it listens
        await tracker.request_cancel(execution_id)
        while (frame := await next_frame(second)) == {"type": "resync"}:  # SQLite says so of every commit
            pass
        assert [item["execution_id"] for item in frame["items"]] == [execution_id]


async def test_an_execution_that_cannot_be_found_is_a_resync(
    tracker: CountingTracker, database: DatabaseManager
) -> None:
    feeds = Feed(tracker, database, encode)
    async with feeds.follow_all() as follower:
        assert [await next_frame(follower) for _ in range(2)] == [{"type": "resync"}] * 2
        tracker.live.committed([ExecutionId("deleted")])
        assert await next_frame(follower) == {"type": "resync"}


async def test_hints_keep_the_last_word_on_each_execution_and_beyond_a_number_ask_for_a_look() -> None:
    follower = ListFollower()
    assert await follower.next(0) == RESYNC_LISTS
    follower.offer(Hints({"a": "1", "b": "2"}))
    follower.offer(Hints({"a": "3"}))
    assert json.loads(await follower.next(0) or "") == {"type": "hints", "items": [3, 2]}
    for number in range(11):
        follower.offer(Hints({f"{number}-{other}": "0" for other in range(100)}))
    assert await follower.next(0) == RESYNC_LISTS
    assert await follower.next(0) is None


class Broken(Exception):
    pass


async def test_a_page_that_cannot_be_encoded_ends_its_followers_instead_of_leaving_them_waiting(
    tracker: CountingTracker, database: DatabaseManager, execution_id: ExecutionId
) -> None:
    broken = False

    def encode_until_broken(changes: Changes) -> Page:
        if broken:
            raise Broken
        return encode(changes)

    feeds = Feed(tracker, database, encode_until_broken)
    async with feeds.follow(execution_id, 1) as follower, feeds.follow(execution_id, 1) as other:
        await next_frame(follower)
        await next_frame(other)
        broken = True
        await tracker.log(execution_id, "cannot be told")
        for each in (follower, other):
            with pytest.raises(Broken):
                await each.next(PATIENCE_SECONDS)
        broken = False
        async with feeds.follow(execution_id, 1) as again:  # while the others still are on their way out
            await told_upto(again, 2)


class BreakingDatabase(DatabaseManager):
    """Fails with what nobody expects while ``broken`` is set."""

    broken = False

    async def fetch_all_async(self, sql: str, params: Params | None = None) -> Rows:
        if self.broken:
            raise Broken
        return await super().fetch_all_async(sql, params)


async def test_hints_that_cannot_be_read_end_those_who_follow_lists_and_who_comes_then_is_told(
    tracker: CountingTracker, database_url: str, execution_id: ExecutionId
) -> None:
    async with BreakingDatabase(database_url) as breaking:
        feeds = Feed(tracker, breaking, encode)
        async with feeds.follow_all() as follower:
            await next_frame(follower)
            breaking.broken = True
            await tracker.log(execution_id, "cannot be told")
            with pytest.raises(Broken):
                while True:
                    await follower.next(PATIENCE_SECONDS)
            breaking.broken = False
            async with feeds.follow_all() as again:
                await next_frame(again)
                await tracker.log(execution_id, "told")
                while "items" not in (frame := await next_frame(again)):
                    pass
                assert [item["execution_id"] for item in frame["items"]] == [execution_id]
