from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ia_modules import __version__
from ia_modules.database.manager import DatabaseManager

RECORD_NEWER = """
INSERT INTO ia_migrations (version, name, checksum, requires_program, applied_at)
VALUES (999, 'future', 'x', :requires_program, ia_now())
"""


async def test_a_server_that_works_is_healthy_and_ready(api: httpx.AsyncClient) -> None:
    answer = (await api.get("/health")).json()
    assert (answer["status"], answer["version"]) == ("healthy", __version__)
    assert answer["services"] == {"database": True, "tracker": True}
    assert datetime.now(UTC) - datetime.fromisoformat(answer["timestamp"]) < timedelta(seconds=10)

    ready = await api.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_a_server_whose_schema_is_missing_lives_but_is_not_ready(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    await database.execute_async("DROP TABLE ia_migrations")

    health = await api.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert health.json()["services"] == {"database": True, "tracker": False}

    ready = await api.get("/health/ready")
    assert ready.status_code == 503
    assert ready.headers["content-type"] == "application/problem+json"
    assert "complete_schema is pending" in ready.json()["detail"]
    assert "ia-modules db migrate" in ready.json()["detail"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (RECORD_NEWER, "needs ia_modules 99.9"),
        ("UPDATE ia_migrations SET checksum = 'x' WHERE version = 1", "applied to this database with another text"),
    ],
)
async def test_a_server_under_which_the_schema_became_another_lives_but_is_not_ready(
    api: httpx.AsyncClient, database: DatabaseManager, change: str, found: str
) -> None:
    await database.execute_async(change, {"requires_program": "99.9"})

    health = await api.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["services"] == {"database": True, "tracker": False}

    ready = await api.get("/health/ready")
    assert ready.status_code == 503
    assert found in ready.json()["detail"]


async def test_a_migration_of_a_newer_program_that_this_one_may_work_with_leaves_the_server_ready(
    api: httpx.AsyncClient, database: DatabaseManager
) -> None:
    await database.execute_async(RECORD_NEWER, {"requires_program": __version__})
    assert (await api.get("/health/ready")).status_code == 200
