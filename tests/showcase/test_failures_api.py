"""Failures in groups over HTTP: what failed alike, and what people say of it."""

from datetime import timedelta
from typing import Any

import httpx

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import ExecutionId, PipelineId, format_time
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.asking import found, queue_some, read, refused


async def fail(tracker: ExecutionTracker, pipeline_id: PipelineId, message: str) -> ExecutionId:
    execution_id = await tracker.start_execution(pipeline_id)
    step_id = await tracker.start_step_execution(execution_id, "load", "Load", "task")
    await tracker.complete_step_execution(step_id, "failed", error_message=message)
    await tracker.update_execution_status(execution_id, "failed", error_message=f"Step 'load' failed: {message}")
    return execution_id


async def test_what_failed_alike_is_one_group_with_all_that_the_page_shows(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    assert (await read(api, "/api/failures"))["items"] == []
    ids = [await fail(tracker, pipeline_id, f"no row {n}") for n in range(3)]
    other = await fail(tracker, pipeline_id, "no column 3")
    page = await read(api, "/api/failures")
    assert (page["more"], page["part_seconds"]) == (False, 86_400)
    newest, item = page["items"]
    assert newest["execution_id"] == other
    detail = await read(api, f"/api/executions/{ids[0]}")
    group = detail["failure_group"]
    first = await tracker.get_execution(ids[0])
    assert first is not None
    assert item | {"trend": 0, "last_at": 0, "first_at": 0} == {
        "id": f"nightly.{group}",
        "pipeline_id": pipeline_id,
        "slug": "nightly",
        "pipeline_name": "Nightly import",
        "failure_group": group,
        "step_id": "load",
        "error_type": "",
        "message": "no row <n>",
        "state": "open",
        "mended_in_version": None,
        "marked_by": None,
        "marked_at": None,
        "reopened_at": None,
        "first_at": 0,
        "last_at": 0,
        "count": 3,
        "versions": [None],
        "first_version": None,
        "trend": 0,
        "execution_id": ids[2],
    }
    assert first.completed_at is not None
    assert page["since"] < format_time(first.completed_at) <= item["first_at"] <= item["last_at"] <= page["until"]
    assert sum(part["failures"] for part in item["trend"]) == 3
    assert item["trend"][0]["start"] == page["since"]
    assert await found(api, failure_group=group) == ids[::-1]
    assert await found(api, failure_group=group, pipeline_id=pipeline_id, status="failed", limit=1) == ids[2:]
    assert (await read(api, "/api/executions/statistics", failure_group=group))["by_status"]["failed"] == 3
    for pipeline in ("nightly", pipeline_id):
        assert (await read(api, f"/api/failures/{pipeline}.{group}"))["count"] == 3
        assert len((await read(api, "/api/failures", pipeline_id=pipeline, limit=1))["items"]) == 1
    assert (await read(api, "/api/failures", limit=1))["more"] is True
    since = (await read(api, f"/api/executions/{ids[1]}"))["completed_at"]
    assert await found(api, failure_group=group, failed_after=since) == ids[:0:-1]
    assert (await read(api, f"/api/failures/nightly.{group}", since=since))["count"] == 2
    later = format_time(first.completed_at + timedelta(days=1))
    assert (await read(api, "/api/failures", since=later))["items"] == []
    assert (await read(api, f"/api/failures/nightly.{group}", since=later))["count"] == 0


async def test_a_group_is_muted_opened_and_marked_as_mended(
    api: httpx.AsyncClient, tracker: ExecutionTracker, database: DatabaseManager
) -> None:
    _, pipeline_id = await queue_some(api, 1)
    await fail(tracker, PipelineId(pipeline_id), "no row 1")
    (item,) = (await read(api, "/api/failures"))["items"]
    address = f"/api/failures/{item['id']}"

    async def mark(verb: str, **body: Any) -> dict[str, Any]:
        answer = await api.post(f"{address}/{verb}", json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    muted = await mark("mute")
    assert (muted["state"], muted["marked_by"]) == ("muted", "local")
    (listed,) = (await read(api, "/api/failures", state="muted"))["items"]
    assert listed | {"trend": muted["trend"]} == muted  # each counts from its own moment
    assert (await read(api, "/api/failures", state="open"))["items"] == []
    assert (await mark("unmute"))["state"] == "open"
    mended = await mark("mended", version=1)
    assert (mended["state"], mended["mended_in_version"]) == ("mended", 1)
    sql = "SELECT action FROM audit_log WHERE action LIKE 'failure.%' ORDER BY audit_id"
    actions = [row["action"] for row in await database.fetch_all_async(sql)]
    assert actions == ["failure.mute", "failure.unmute", "failure.mend"]
    refusal = await api.post(f"{address}/mended", json={"version": 2})
    assert (refusal.status_code, refusal.json()["type"]) == (404, "urn:ia-modules:pipeline-version-not-found")
    for body in ({}, {"version": 0}, {"version": "x"}, {"version": 1, "by": "me"}):
        assert (await api.post(f"{address}/mended", json=body)).status_code == 422


async def test_what_cannot_be_a_group_or_a_filter_is_refused(api: httpx.AsyncClient, pipeline_id: PipelineId) -> None:
    for wrong in ("nightly", "nightly.", f"{pipeline_id}.0f3a9c2b7d4e1856", "weekly.0"):
        status, problem = await refused(api, f"/api/failures/{wrong}")
        assert (status, problem["type"]) == (404, "urn:ia-modules:failure-group-not-found")
        assert (await api.post(f"/api/failures/{wrong}/mute")).status_code == 404
    assert (await refused(api, "/api/failures", pipeline_id="weekly"))[0] == 404
    for query in ({"limit": 201}, {"state": "closed"}, {"since": "yesterday"}, {"pipeline": "nightly"}):
        assert (await refused(api, "/api/failures", **query))[0] == 422
    assert (await refused(api, "/api/executions", failure_group="x"))[0] == 422
    status, problem = await refused(api, "/api/executions", failed_after="2026-11-24T03:00:00Z")
    assert (status, "failed_after" in problem["detail"]) == (422, True)


async def test_all_that_failed_alike_is_run_again_at_once(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    failed = [await fail(tracker, pipeline_id, f"no row {n}") for n in range(3)]
    await fail(tracker, pipeline_id, "no column 3")
    group = (await read(idle, f"/api/executions/{failed[0]}"))["failure_group"]
    body = {"action": "rerun", "filter": {"failure_group": group}, "dry_run": True}
    answer = await idle.post("/api/executions/bulk", json=body)
    assert answer.json()["matched"] == 3
