"""A real server over each test's own database, a client of its API, and a tracker beside it as another program has."""

from collections.abc import AsyncGenerator, Generator

import httpx
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.server import Server, running


@pytest.fixture
def server(database_url: str) -> Generator[Server]:
    with running(Server(database_url)) as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client


@pytest.fixture
async def tracker(database: DatabaseManager) -> AsyncGenerator[ExecutionTracker]:
    """Over connections of its own: to the server it is another program."""
    async with ExecutionTracker(database) as tracker:
        yield tracker


@pytest.fixture
async def pipeline_id(tracker: ExecutionTracker) -> PipelineId:
    return await tracker.register_pipeline("nightly", "Nightly import")


@pytest.fixture
def idle_server(database_url: str) -> Generator[Server]:
    """A server that runs nothing by itself."""
    with running(Server(database_url, slots=0)) as server:
        yield server


@pytest.fixture
async def idle(idle_server: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with idle_server.client() as client:
        yield client
