"""A client of each database."""

from collections.abc import AsyncIterator

import pytest

from ia_modules import Client
from ia_modules.database.manager import DatabaseManager


@pytest.fixture
async def client(database: DatabaseManager) -> AsyncIterator[Client]:
    async with Client(database) as client:
        yield client
