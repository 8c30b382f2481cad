"""A run file that is shown: every page of it is there, and nothing can be changed."""

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.tracker.run_file_reading import open_run_file
from ia_modules.tracker.run_file_writing import write_run_file
from showcase_app.backend.settings import ApiKey, Role
from tests.showcase.asking import read
from tests.showcase.server import Server, running
from tests.unit.run_files import MODULE, record_run

NOT_THERE = ("/api/failures/{failure_id}", "/api/executions/{execution_id}/resume/plan")
"""A run that has completed is of no group of failures, and is not gone on with."""


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


@pytest.fixture
async def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose code is not here any more."""
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    async with DatabaseManager(f"sqlite:///{tmp_path / 'source.db'}") as source:
        execution_id = await record_run(source, tmp_path)
        await write_run_file(source, execution_id, tmp_path / "run.iarun", actor="ann")
    (tmp_path / f"{MODULE}.py").unlink()
    return tmp_path / "run.iarun"


@pytest.fixture
def shown(file: Path) -> Generator[Server]:
    """A server that shows a run file, as ``ia-modules serve FILE`` does."""
    with open_run_file(file) as run, running(Server(f"sqlite:///{run.file}", slots=0, run_file=True)) as server:
        yield server


@pytest.fixture
async def pages(shown: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with shown.client() as client:
        yield client


@pytest.fixture
def dialect() -> str:
    """What a server shows is a file; only what is taken in and along is tested on both."""
    return "sqlite"


async def ids_in(pages: httpx.AsyncClient) -> dict[str, str]:
    [execution] = (await read(pages, "/api/executions"))["items"]
    detail = await read(pages, f"/api/executions/{execution['execution_id']}")
    return {
        "execution_id": execution["execution_id"],
        "step_execution_id": detail["steps"][0]["step_execution_id"],
        "interaction_id": detail["interactions"][0]["interaction_id"],
        "pipeline_id": "nightly",
        "failure_id": "nightly.1",
    }


async def test_every_page_of_a_run_is_there_and_every_writing_route_is_refused(
    pages: httpx.AsyncClient, file: Path
) -> None:
    before = bytes_of(file)
    ids = await ids_in(pages)
    document: dict[str, Any] = (await pages.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method in operations:
            if path == "/api/session":
                continue
            needed = {"/compare": {"a": ids["execution_id"], "b": ids["execution_id"]}, "/grid": {"step_id": "one"}}
            query = needed.get(path[path.rindex("/") :])
            answer = await pages.request(method, path.format(**ids), params=query)
            if method != "get" or path.endswith("/run-file"):
                assert answer.status_code == 409, (method, path)
                assert "it is read-only" in operations[method]["responses"]["409"]["description"], (method, path)
                assert "A run file is read-only" in answer.json()["detail"]
            elif path not in NOT_THERE:
                assert answer.status_code == 200, (method, path, answer.text)
    assert bytes_of(file) == before


async def test_what_a_run_was_is_shown_without_its_code(pages: httpx.AsyncClient, shown: Server) -> None:
    ids = await ids_in(pages)
    detail = await read(pages, f"/api/executions/{ids['execution_id']}")
    assert (detail["status"], detail["input_data"]) == ("completed", {"day": "2026-11-24", "exact": 1.0})
    assert [step["worker"] for step in detail["steps"]] == [None] * 5
    question = await read(pages, f"/api/interactions/{ids['interaction_id']}")
    assert question["status"] == "answered"
    graph = await read(pages, "/api/pipelines/nightly/graph")
    assert len(graph["nodes"]) == 4
    session = await read(pages, "/api/session")
    assert (session["role"], session["run_file"]) == ("viewer", True)
    health = (await pages.get("/health")).json()
    assert health["status"] == "healthy"
    assert MODULE not in sys.modules
    assert shown.services.worker is None
    assert await shown.services.database.fetch_all_async("SELECT * FROM workers") == []


async def test_a_run_is_followed_by_its_socket_too(pages: httpx.AsyncClient, shown: Server) -> None:
    ids = await ids_in(pages)
    with suppress(TimeoutError):
        async with shown.watch(ids["execution_id"]) as client:
            assert '"type":"changes"' in str(await client.recv())


async def test_with_keys_a_run_file_is_shown_to_who_has_one(file: Path) -> None:
    keys = (
        ApiKey(name="ann", role=Role.OPERATOR, key="a-key-of-ann-0123456789"),
        ApiKey(name="bob", role=Role.APPROVER, key="a-key-of-bob-0123456789"),
    )
    with (
        open_run_file(file) as run,
        running(Server(f"sqlite:///{run.file}", slots=0, run_file=True, keys=keys)) as server,
    ):
        async with server.client() as api:
            assert (await api.get("/api/executions")).status_code == 401
            assert (await api.post("/api/executions/bulk", json={})).status_code == 401
            headers = {"Authorization": f"Bearer {keys[0].key}"}
            assert (await api.get("/api/executions", headers=headers)).status_code == 200
            assert (await api.post("/api/executions/bulk", json={}, headers=headers)).status_code == 409
            session = await api.post("/api/session", json={"key": keys[0].key})
            assert session.status_code == 200
            headers = {"Authorization": f"Bearer {keys[1].key}"}
            assert (await api.get("/api/executions", headers=headers)).status_code == 403
            assert (await api.get("/api/interactions", headers=headers)).status_code == 200
