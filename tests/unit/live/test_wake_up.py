import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.live import wake_up
from ia_modules.live.wake_up import Live
from ia_modules.models import ExecutionId

PATIENCE_SECONDS = 60.0


class BreakingSignals(DatabaseManager):
    """Its first signals end with what nobody expects."""

    breaks = 1

    def signals(self) -> AsyncGenerator[str | None]:
        if self.breaks:
            self.breaks -= 1
            return broken()
        return super().signals()


async def broken() -> AsyncGenerator[str | None]:
    raise ZeroDivisionError("broken")
    yield None


async def test_who_watches_all_executions_hears_again_after_the_listener_has_failed(
    database: DatabaseManager, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_up, "_LISTEN_AGAIN_SECONDS", 0.01)
    elsewhere = Live(database)
    async with BreakingSignals(database_url) as breaking:
        live = Live(breaking)
        async with live.watching_all() as heard, asyncio.timeout(PATIENCE_SECONDS):
            await heard.look.wait()
            assert heard.take() == (set(), True)  # something may have happened: look
            heard_one = False
            while not heard_one:  # a file only signals that something was written
                elsewhere.committed([ExecutionId("one")])
                await database.execute_async("UPDATE workers SET note = note")
                await asyncio.sleep(0.01)
                ids, unnamed = heard.take()
                heard_one = "one" in ids or (database.dialect == "sqlite" and unnamed)
        await live.close()
    await elsewhere.close()


async def test_closing_ends_also_when_the_announcer_has_failed(database_url: str) -> None:
    class Speechless(DatabaseManager):
        async def has_listeners(self) -> bool:
            raise ZeroDivisionError("broken")

    async with Speechless(database_url) as speechless:
        live = Live(speechless)
        live.committed([ExecutionId("one")])
        await live.close()


class Counting(DatabaseManager):
    """Counts what it asks and tells other processes."""

    looks = messages = 0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.looked = asyncio.Event()

    async def has_listeners(self) -> bool:
        self.looks += 1
        has_listeners = await super().has_listeners()
        self.looked.set()
        return has_listeners

    async def notify(self, payload: str) -> None:
        self.messages += 1
        await super().notify(payload)


async def test_without_listeners_nothing_is_sent_and_whether_there_are_some_is_asked_seldom(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_up, "_LOOK_EVERY_SECONDS", 3600.0)
    async with Counting(database_url) as counting:
        live = Live(counting)
        for number in range(1_000):
            live.committed([ExecutionId(str(number))])
            await asyncio.sleep(0)
        await counting.looked.wait()
        assert (counting.looks, counting.messages) == (1, 0)
        await live.close()
        assert (counting.looks, counting.messages) == (2, 0)


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_with_listeners_whether_there_are_some_is_not_asked_for_each_message(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_up, "_LOOK_EVERY_SECONDS", 3600.0)
    async with Counting(database_url) as counting, aclosing(counting.signals()) as signals:
        assert await anext(signals) is None
        live = Live(counting)
        for number in range(10):
            live.committed([ExecutionId(str(number))])
            assert str(await anext(signals)).endswith(f" {number}")
        assert (counting.looks, counting.messages) == (1, 10)
        await live.close()


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("closes", [False, True])
async def test_who_begins_to_listen_hears_of_all_that_changes_afterwards(
    database_url: str, closes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of what changes while the other process still takes it that nobody listens."""
    monkeypatch.setattr(wake_up, "_LOOK_EVERY_SECONDS", 3600.0 if closes else 0.5)
    async with Counting(database_url) as counting, DatabaseManager(database_url) as database:
        elsewhere, live = Live(counting), Live(database)
        elsewhere.committed([ExecutionId("before")])
        async with asyncio.timeout(PATIENCE_SECONDS):
            await counting.looked.wait()
            async with live.watching_all() as heard:
                await heard.look.wait()
                assert heard.take() == (set(), True)
                elsewhere.committed([ExecutionId("after")])
                if closes:
                    await elsewhere.close()
                await heard.look.wait()
                assert heard.take() == ({"after"}, False)
        await elsewhere.close()
        await live.close()


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_process_that_does_not_listen_any_more_counts_no_more(database: DatabaseManager) -> None:
    assert not await database.has_listeners()
    async with aclosing(database.signals()) as one, aclosing(database.signals()) as other:
        assert [await anext(one), await anext(other)] == [None, None]
        assert await database.has_listeners()
        await one.aclose()
        assert await database.has_listeners()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await database.has_listeners():  # the server notices the end of a connection a little later
            pass
