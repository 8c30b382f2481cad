from datetime import UTC, datetime, timedelta

import httpx

from ia_modules import __version__
from ia_modules.database.manager import DatabaseManager


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
