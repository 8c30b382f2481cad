import asyncio
import contextvars
import os
import threading
from pathlib import Path

import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import DatabaseClosed
from tests.unit.database.test_driver import added
from tests.unit.database.test_manager import ADD, ids


async def test_after_close_one_file_is_left_and_no_thread(tmp_path: Path) -> None:
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as database:
        await database.run(added("1"))
        names = {thread.name for thread in threading.enumerate()}
        assert {"ia-sqlite-writer", "ia-sqlite-reader-1", "ia-sqlite-reader-2", "ia-sqlite-reader-3"} <= names
    assert os.listdir(tmp_path) == ["ia.db"]  # noqa: PTH208 - nothing here is slow
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ia-sqlite")]


async def test_a_cancelled_close_ends_every_thread_all_the_same(tmp_path: Path) -> None:
    database = DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}")
    await database.initialize()
    async with database.transaction() as handle:
        await handle.execute(ADD, {"event_id": "1"})
        closing = contextvars.Context().run(asyncio.create_task, database.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(DatabaseClosed):
            await contextvars.Context().run(asyncio.create_task, ids(database))
    await database.close()  # waits for the rest
    assert os.listdir(tmp_path) == ["ia.db"]  # noqa: PTH208 - nothing here is slow
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ia-sqlite")]
    async with DatabaseManager(f"sqlite:///{tmp_path / 'ia.db'}") as again:
        assert await ids(again) == ["1"]
