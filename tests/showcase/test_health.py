from datetime import UTC, datetime

import httpx
import pytest

from ia_modules import __version__
from ia_modules.database.manager import DatabaseManager
from tests.showcase.server import Server, running

SERVICES = ("database", "tracker", "pipelines", "metrics", "worker")

RECORD_NEWER = """
INSERT INTO ia_migrations (version, name, checksum, requires_program, applied_at)
VALUES (999, 'future', 'x', :requires_program, ia_now())
"""


async def test_a_server_that_works_is_healthy_and_ready(api: httpx.AsyncClient) -> None:
    before = datetime.now(UTC)
    answer = (await api.get("/health")).json()
    assert (answer["status"], answer["version"]) == ("healthy", __version__), answer
    assert answer["services"] == dict.fromkeys(SERVICES, True)
    assert before <= datetime.fromisoformat(answer["timestamp"]) <= datetime.now(UTC)

    ready = await api.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_a_server_whose_schema_is_missing_lives_but_is_not_ready(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    await database.execute_async("DROP TABLE ia_migrations")

    health = await api.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert health.json()["services"] == dict.fromkeys(SERVICES, False) | {"database": True}

    ready = await api.get("/health/ready")
    assert ready.status_code == 503
    assert ready.headers["content-type"] == "application/problem+json"
    assert "complete_schema is pending" in ready.json()["detail"]
    assert "ia-modules db migrate" in ready.json()["detail"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (RECORD_NEWER, "needs ia_modules 99.9"),
        ("UPDATE ia_migrations SET checksum = 'x' WHERE version = 1", "V001__complete_schema has another text"),
    ],
)
async def test_a_server_under_which_the_schema_became_another_lives_but_is_not_ready(
    api: httpx.AsyncClient, database: DatabaseManager, change: str, found: str
) -> None:
    await database.execute_async(change, {"requires_program": "99.9"})

    health = await api.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["services"] == dict.fromkeys(SERVICES, False) | {"database": True}

    ready = await api.get("/health/ready")
    assert ready.status_code == 503
    assert found in ready.json()["detail"]


async def test_a_migration_of_a_newer_program_that_this_one_may_work_with_leaves_the_server_ready(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    await database.execute_async(RECORD_NEWER, {"requires_program": __version__})
    assert (await api.get("/health/ready")).status_code == 200


async def test_a_server_whose_worker_does_not_beat_lives_but_is_not_ready(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    await database.execute_async("UPDATE workers SET lease_seconds = 1e-6")  # whatever it beats, it is too late

    health = await api.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["services"] == dict.fromkeys(SERVICES, True) | {"worker": False}

    ready = await api.get("/health/ready")
    assert ready.status_code == 503
    assert "does not beat" in ready.json()["detail"]


async def test_a_server_without_a_worker_is_ready_all_the_same(database_url: str) -> None:
    with running(Server(database_url, slots=0)) as server:
        async with server.client() as api:
            assert (await api.get("/health/ready")).status_code == 200
            assert (await api.get("/health")).json()["services"] == dict.fromkeys(SERVICES, True)
