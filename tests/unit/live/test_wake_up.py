import asyncio
from collections.abc import AsyncGenerator

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
        async def notify(self, payload: str) -> None:
            raise ZeroDivisionError("broken")

    async with Speechless(database_url) as speechless:
        live = Live(speechless)
        live.committed([ExecutionId("one")])
        await live.close()
