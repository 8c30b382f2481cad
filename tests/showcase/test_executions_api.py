from datetime import timedelta
from typing import Any

import httpx
import pytest

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError
from ia_modules.models import ExecutionId, ExecutionRecord, LogRecord, PipelineId, StepExecutionRecord, format_time
from ia_modules.web.execution_tracker import ExecutionTracker
from showcase_app.backend.main import STATUS_OF
from showcase_app.backend.schemas import ExecutionDetail, LogOut, StepDetail


async def read(api: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(api: httpx.AsyncClient, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
    """Status and problem of a request that is refused."""
    answer = await api.get(path, params=query)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()


async def start_many(tracker: ExecutionTracker, pipeline_id: PipelineId, number: int) -> list[ExecutionId]:
    return [await tracker.start_execution(pipeline_id, "Nightly import", {"n": n}) for n in range(number)]


async def test_the_list_shows_what_the_database_holds_newest_first_without_payloads(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    assert await read(api, "/api/executions") == {"items": [], "next_cursor": None}
    ids = await start_many(tracker, pipeline_id, 3)
    await tracker.update_execution_status(ids[1], "completed", output_data={"rows": 3})

    page = await read(api, "/api/executions")

    assert [item["execution_id"] for item in page["items"]] == ids[::-1]
    listed = (await tracker.list_executions()).items
    assert page["items"] == [item.to_dict() | {"duration_seconds": item.duration_seconds} for item in listed]
    assert page["items"][1]["status"] == "completed"


async def test_pages_follow_each_other_with_nothing_missing_or_repeated_while_new_executions_come(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    ids = await start_many(tracker, pipeline_id, 5)
    page = await read(api, "/api/executions", limit=2)
    seen = [item["execution_id"] for item in page["items"]]
    while page["next_cursor"]:
        await start_many(tracker, pipeline_id, 1)
        page = await read(api, "/api/executions", limit=2, cursor=page["next_cursor"])
        seen += [item["execution_id"] for item in page["items"]]
    assert seen == ids[::-1]


async def test_the_list_is_filtered_by_status_pipeline_and_start(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    first, second, third = await start_many(tracker, pipeline_id, 3)
    await tracker.update_execution_status(first, "failed", error_message="no space left")
    other_pipeline = await tracker.register_pipeline("other", "Other")
    other = await tracker.start_execution(other_pipeline, "Other")
    record = await tracker.get_execution(second)
    assert record is not None
    assert record.started_at is not None
    start = format_time(record.started_at)

    async def found(**query: Any) -> list[str]:
        return [item["execution_id"] for item in (await read(api, "/api/executions", **query))["items"]]

    assert await found(status="failed") == [first]
    assert await found(status="running") == [other, third, second]
    assert await found(pipeline_id=other_pipeline) == [other]
    assert await found(pipeline_id="nobody") == []
    assert await found(started_after=start, pipeline_id=pipeline_id) == [third, second]
    assert await found(started_before=start) == [first]
    later = format_time(record.started_at + timedelta(days=1))
    assert await found(started_after=start, started_before=later, status="running") == [other, third, second]


async def test_a_parameter_that_is_not_understood_is_named_with_what_is_expected(api: httpx.AsyncClient) -> None:
    for field, given, expected in (
        ("status", "done", "'waiting_for_human'"),
        ("limit", "0", "greater than or equal to 1"),
        ("limit", "501", "less than or equal to 500"),
        ("started_after", "yesterday", "datetime"),
        ("started_before", "2026-11-24T03:00:00", "timezone"),
        ("cursor", "a\0b", "match pattern"),
        ("pipeline_id", "'; DROP TABLE", "match pattern"),
    ):
        status, problem = await refused(api, "/api/executions", **{field: given})
        assert status == 422
        [error] = problem["errors"]
        assert (error["location"], error["field"]) == ("query", field)
        assert expected in error["detail"]
        assert expected in problem["detail"]


async def test_statistics_count_every_status(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    ids = await start_many(tracker, pipeline_id, 4)
    await tracker.update_execution_status(ids[0], "failed")
    await tracker.update_execution_status(ids[1], "completed")
    assert await read(api, "/api/executions/statistics") == (await tracker.get_execution_statistics()).to_dict()


async def test_the_detail_shows_every_attempt_with_input_output_status_times_and_error(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id, input_data={"day": 24}, metadata={"by": "cron"}) as execution:
        async with execution.step("download", input_data={"url": "x"}) as step:
            step.output = {"rows": 3}
        with pytest.raises(ValueError, match="bad row"):
            async with execution.step("score"):
                raise ValueError("bad row")
        async with execution.step("score") as step:
            step.output = [1, 2]
        execution.output = {"ok": True}

    detail = await read(api, f"/api/executions/{execution.id}")

    record = await tracker.get_execution(execution.id)
    steps = await tracker.get_execution_steps(execution.id)
    assert record is not None
    assert detail == record.to_dict() | {
        "duration_seconds": record.duration_seconds,
        "steps": [step.to_dict() | {"duration_seconds": step.duration_seconds} for step in steps],
    }
    download, failed, retried = detail["steps"]
    assert (download["input_data"], download["output_data"]) == ({"url": "x"}, {"rows": 3})
    assert (failed["status"], failed["attempt"], failed["error_type"]) == ("failed", 1, "ValueError")
    assert "bad row" in failed["traceback"]
    assert (retried["status"], retried["attempt"], retried["output_data"]) == ("completed", 2, [1, 2])
    assert download["started_at"] <= download["completed_at"] <= retried["started_at"]


async def test_a_large_output_is_left_out_of_the_detail_and_comes_whole_with_its_step(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    small, large = "s" * (65_536 - 2), "l" * (65_536 - 1)
    async with tracker.execution(pipeline_id) as execution, execution.step("read", input_data=small) as step:
        step.output = large

    [shown] = (await read(api, f"/api/executions/{execution.id}"))["steps"]
    assert (shown["input_data"], shown["input_bytes"]) == (small, 65_536)
    assert (shown["output_data"], shown["output_bytes"]) == (None, 65_537)

    alone = await read(api, f"/api/executions/{execution.id}/steps/{step.id}")
    assert alone == shown | {"output_data": large}


async def test_payloads_come_through_as_they_were_recorded(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    deep: Any = "bottom"
    for _ in range(90):
        deep = {"in": [deep]}
    payload = {"z": 2**64 - 1, "a": -(2**63), "f": 0.1 + 0.2, "text": "ü\u2028\U0001f600 </script>", "deep": deep}
    execution_id = await tracker.start_execution(pipeline_id, "Nightly import", payload)
    detail = await read(api, f"/api/executions/{execution_id}")
    assert detail["input_data"] == payload
    assert list(detail["input_data"]) == list(payload)


async def test_what_does_not_exist_is_not_found(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id) as execution, execution.step("read") as step:
        pass
    other = await tracker.start_execution(pipeline_id, "Nightly import")

    status, problem = await refused(api, "/api/executions/nobody")
    assert (status, problem["type"]) == (404, "urn:ia-modules:execution-not-found")
    assert "'nobody'" in problem["detail"]
    assert problem["instance"] == "/api/executions/nobody"
    for path in (f"/{other}/steps/{step.id}", f"/{execution.id}/steps/nobody"):
        status, problem = await refused(api, f"/api/executions{path}")
        assert (status, problem["type"]) == (404, "urn:ia-modules:step-execution-not-found")
    assert (await refused(api, "/api/executions/nobody/changes"))[0] == 404
    assert (await refused(api, "/nowhere"))[0] == 404
    assert (await refused(api, "/api/executions/a%00b"))[0] == 422


async def test_changes_say_what_is_newer_than_a_cursor(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id, "Nightly import")
    await tracker.log(execution_id, "hello")
    path = f"/api/executions/{execution_id}/changes"

    first = await read(api, path)
    assert [(message["type"], message["sequence"]) for message in first["messages"]] == [
        ("log", 2),
        ("execution_update", 2),
    ]
    assert (first["after"], first["upto"], first["more"]) == (0, 2, False)
    assert (await read(api, path, after=2))["messages"] == []
    status, problem = await refused(api, path, after=3)
    assert status == 422
    assert "which is at 2" in problem["detail"]


async def test_an_error_of_the_server_tells_a_client_nothing_of_its_inside(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    await database.execute_async("ALTER TABLE pipeline_executions RENAME TO gone")
    answer = await api.get("/api/executions")
    assert answer.status_code == 500
    assert answer.json()["title"] == "Internal Server Error"
    assert not any(word in answer.text for word in ("SELECT", "pipeline_executions", "Traceback"))


def test_every_error_has_an_http_status() -> None:
    assert STATUS_OF[IAModulesError] == 500
    assert all(issubclass(error, IAModulesError) for error in STATUS_OF)


@pytest.mark.parametrize(
    ("record", "answer"),
    [(ExecutionRecord, ExecutionDetail), (StepExecutionRecord, StepDetail), (LogRecord, LogOut)],
)
def test_answers_have_every_field_of_their_records(record: type, answer: type) -> None:
    extra = {"duration_seconds", "steps"}
    assert set(record.__dataclass_fields__) == set(answer.model_fields) - extra
