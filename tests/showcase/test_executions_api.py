import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec import Struct

from ia_modules.database.manager import DatabaseManager
from ia_modules.errors import IAModulesError
from ia_modules.models import (
    GAP_LOGGER,
    ExecutionId,
    ExecutionRecord,
    Json,
    JsonText,
    LogRecord,
    PipelineId,
    StepExecutionId,
    StepExecutionRecord,
    format_time,
    new_id,
)
from ia_modules.tracker.execution_tracker import ExecutionTracker
from ia_modules.transitions import Failure, LogLine, Transition
from showcase_app.backend.api.problems import STATUS_OF
from showcase_app.backend.schemas.executions import ExecutionDetail, ExportOut, LogOut, StepDetail
from showcase_app.backend.services import execution_service
from tests.showcase.asking import found, queue_some, read, refused, start_many
from tests.showcase.server import Server, receive


async def start_steps(
    tracker: ExecutionTracker, execution_id: ExecutionId, number: int, input_data: Json = None
) -> list[StepExecutionId]:
    starts = (tracker.start_step_execution(execution_id, f"s{n}", "Step", "task", input_data) for n in range(number))
    return sorted(await asyncio.gather(*starts))


async def test_the_list_shows_what_the_database_holds_newest_first_without_payloads(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    assert await read(api, "/api/executions") == {
        "items": [],
        "next_cursor": None,
        "searched": None,
        "looked_back_to": None,
    }
    ids = await start_many(tracker, pipeline_id, 3)
    await tracker.update_execution_status(ids[1], "completed", output_data={"rows": 3})

    page = await read(api, "/api/executions")

    assert [item["execution_id"] for item in page["items"]] == ids[::-1]
    listed = (await tracker.list_executions()).items
    assert page["items"] == [
        item.to_dict()
        | {"queue_seconds": item.queue_seconds, "duration_seconds": item.duration_seconds, "cause": item.cause}
        for item in listed
    ]
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
    for field, value, expected in (
        ("status", "done", "'waiting_for_human'"),
        ("limit", "0", "greater than or equal to 1"),
        ("limit", "501", "less than or equal to 500"),
        ("started_after", "yesterday", "datetime"),
        ("started_before", "2026-11-24T03:00:00", "timezone"),
        ("started_after", "0001-01-01T00:00:00+14:00", "years 1 to 9999"),
        ("started_before", "9999-12-31T23:59:59-14:00", "years 1 to 9999"),
        ("cursor", "a\0b", "match pattern"),
        ("cursor", "c" * 201, "match pattern"),
        ("pipeline_id", "'; DROP TABLE", "match pattern"),
        ("pipeline_id", "\0", "match pattern"),
    ):
        status, problem = await refused(api, "/api/executions", **{field: value})
        assert status == 422
        [error] = problem["errors"]
        assert (error["location"], error["field"].removesuffix(".0")) == ("query", field)  # one of several statuses
        assert expected in error["detail"]
        assert expected in problem["detail"]


async def test_both_ends_of_the_calendar_are_times(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    [execution_id] = await start_many(tracker, pipeline_id, 1)
    window = {"started_after": "0001-01-01T00:00:00Z", "started_before": "9999-12-31T23:59:59.999999Z"}
    page = await read(api, "/api/executions", **window)
    assert [item["execution_id"] for item in page["items"]] == [execution_id]


@pytest.mark.parametrize("odd", ["%00", "a%00b", "%ED%A0%80", "%ff", "a%0A", "%20", "x" * 201, "x" * 30_000])
async def test_what_cannot_be_an_id_is_refused_wherever_it_stands(api: httpx.AsyncClient, odd: str) -> None:
    start = "/api/executions"
    for path in (
        f"{start}?cursor={odd}",
        f"{start}?pipeline_id={odd}",
        f"{start}/{odd}",
        f"{start}/{odd}/payloads",
        f"{start}/{odd}/changes",
        f"{start}/{odd}/steps",
        f"{start}/nobody/steps?cursor={odd}",
        f"{start}/nobody/steps/{odd}",
    ):
        status, problem = await refused(api, path)
        if path.startswith(f"{start}/{odd}") and odd in ("a%0A", "%20"):  # a caller's own id may be any text
            assert status == 404, path
            continue
        assert status == 422, path
        assert problem["errors"][0]["field"] in ("cursor", "pipeline_id", "execution_id", "step_execution_id")


async def test_what_an_attempt_got_is_read_whole(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    async with tracker.execution(pipeline_id) as execution, execution.step("download", input_data=[1.0, 2]) as step:
        pass
    answer = await api.get(f"/api/executions/{execution.id}/steps/{step.id}/input")
    assert (answer.status_code, answer.text) == (200, '{"step_input":[1.0,2]}')
    status, _ = await refused(api, f"/api/executions/{execution.id}/steps/nobody/input")
    assert status == 404


async def test_statistics_count_every_status(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    ids = await start_many(tracker, pipeline_id, 4)
    await tracker.update_execution_status(ids[0], "failed")
    await tracker.update_execution_status(ids[1], "completed")
    counted = await tracker.get_execution_statistics()
    assert await read(api, "/api/executions/statistics") == counted.to_dict() | {"searched": None}


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
    assert detail == detail | record.to_dict() | {"duration_seconds": record.duration_seconds}
    assert detail["steps"] == [
        shown | step.to_dict() | {"duration_seconds": step.duration_seconds, "omitted": []}
        for shown, step in zip(detail["steps"], steps, strict=True)
    ]
    assert (detail["input_bytes"], detail["output_bytes"], detail["metadata_bytes"]) == (10, 11, 13)
    assert (detail["omitted"], detail["more_steps"]) == ([], False)
    download, failed, retried = detail["steps"]
    assert (download["input_data"], download["output_data"]) == ({"url": "x"}, {"rows": 3})
    assert (failed["status"], failed["attempt"], failed["error_type"]) == ("failed", 1, "ValueError")
    assert "bad row" in failed["traceback"]
    assert (retried["status"], retried["attempt"], retried["output_data"]) == ("completed", 2, [1, 2])
    assert download["started_at"] <= download["completed_at"] <= retried["started_at"]


async def test_a_payload_of_an_execution_beyond_64_kib_is_left_out_and_comes_whole_on_its_own_route(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    small, large = "ü" * (32_768 - 1), "ü" * 1_000_000
    execution_id = await tracker.start_execution(pipeline_id, input_data=large, metadata=[large])
    await tracker.update_execution_status(execution_id, "completed", output_data=small)

    answer = await api.get(f"/api/executions/{execution_id}")
    assert len(answer.content) < 100_000
    detail = answer.json()
    assert (detail["input_data"], detail["input_bytes"]) == (None, 2_000_002)
    assert (detail["output_data"], detail["output_bytes"]) == (small, 65_536)
    assert (detail["metadata"], detail["metadata_bytes"]) == (None, 2_000_004)
    assert detail["omitted"] == ["input_data", "metadata"]

    payloads = await read(api, f"/api/executions/{execution_id}/payloads")
    assert payloads == {
        "execution_id": execution_id,
        "input_data": large,
        "output_data": small,
        "metadata": [large],
    }


async def test_a_payload_of_a_step_beyond_64_kib_is_left_out_and_comes_whole_with_its_step(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    small, large = "s" * (65_536 - 2), "l" * (65_536 - 1)
    execution_id = await tracker.start_execution(pipeline_id)
    first = await tracker.start_step_execution(execution_id, "read", "Read", "task", small, metadata=large)
    failure = Failure(type="ValueError", message="bad row", traceback="\u2028" * 65_536)
    await tracker.complete_step_execution(first, "failed", large, failure=failure)
    await database.execute_async(
        "UPDATE step_executions SET input_refs = :large WHERE step_execution_id = :id",
        {"large": f'"{large}"', "id": first},
    )

    answer = await api.get(f"/api/executions/{execution_id}")
    assert len(answer.content) < 100_000
    [shown] = answer.json()["steps"]
    assert (shown["input_data"], shown["input_bytes"]) == (small, 65_536)
    assert (shown["output_data"], shown["output_bytes"]) == (None, 65_537)
    assert (shown["metadata"], shown["metadata_bytes"]) == (None, 65_537)
    assert (shown["input_refs"], shown["input_refs_bytes"]) == (None, 65_537)
    assert (shown["traceback"], shown["traceback_bytes"]) == (None, 3 * 65_536)
    assert set(shown["omitted"]) == {"output_data", "metadata", "input_refs", "traceback"}
    assert (await read(api, f"/api/executions/{execution_id}/steps"))["items"] == [shown]

    alone = await read(api, f"/api/executions/{execution_id}/steps/{first}")
    whole = {"output_data": large, "metadata": large, "input_refs": large, "traceback": failure.traceback}
    assert alone == shown | whole | {"omitted": []}


async def test_many_steps_come_in_pages_in_the_order_in_which_they_began(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    await start_steps(tracker, await tracker.start_execution(pipeline_id), 3)
    ids = await start_steps(tracker, execution_id, 1_000)
    detail = await read(api, f"/api/executions/{execution_id}")
    assert ([step["step_execution_id"] for step in detail["steps"]], detail["more_steps"]) == (ids, False)

    ids += await start_steps(tracker, execution_id, 3)
    detail = await read(api, f"/api/executions/{execution_id}")
    assert ([step["step_execution_id"] for step in detail["steps"]], detail["more_steps"]) == (ids[:1_000], True)
    path = f"/api/executions/{execution_id}/steps"
    rest = await read(api, path, cursor=ids[999])
    assert ([step["step_execution_id"] for step in rest["items"]], rest["next_cursor"]) == (ids[1_000:], None)

    seen: list[str] = []
    query: dict[str, Any] = {"limit": 500}
    while query.get("cursor", "") is not None:
        page = await read(api, path, **query)
        seen += [step["step_execution_id"] for step in page["items"]]
        query["cursor"] = page["next_cursor"]
    assert seen == ids
    for limit in ("0", "501", "-1", "x", "9" * 30):
        status, problem = await refused(api, path, limit=limit)
        assert (status, problem["errors"][0]["field"]) == (422, "limit")


async def test_the_payloads_of_many_steps_are_left_out_after_16_mib(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    ids = await start_steps(tracker, execution_id, 300, input_data="x" * (65_536 - 2))

    detail = await read(api, f"/api/executions/{execution_id}")

    whole = 16 * 2**20 // 65_536
    assert [step["omitted"] for step in detail["steps"]] == [[]] * whole + [["input_data"]] * (300 - whole)
    assert [step["input_data"] is None for step in detail["steps"]] == [False] * whole + [True] * (300 - whole)
    page = await read(api, f"/api/executions/{execution_id}/steps", cursor=ids[whole - 1])
    assert page["items"][0]["input_data"] is not None


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
    for path in ("changes", "payloads", "steps"):
        status, problem = await refused(api, f"/api/executions/nobody/{path}")
        assert (status, problem["type"]) == (404, "urn:ia-modules:execution-not-found")
    assert (await refused(api, "/api/nowhere"))[0] == 404
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
    assert "at most 2, where the execution is" in problem["detail"]


async def test_data_of_a_log_line_beyond_64_kib_is_left_out_of_the_changes(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    small, large = "s" * (65_536 - 2), "l" * (65_536 - 1)
    for data in (None, small, large):
        await tracker.log(execution_id, "hello", data=data)
    messages = (await read(api, f"/api/executions/{execution_id}/changes"))["messages"]
    lines = [message["data"] for message in messages if message["type"] == "log"]
    assert [(line["data"], line["data_omitted"]) for line in lines] == [(None, False), (small, False), (None, True)]


async def test_text_is_found_at_the_beginning_of_ids_and_in_pipelines_and_inside_a_window_in_errors(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    first, second, third = await start_many(tracker, pipeline_id, 3)
    await tracker.update_execution_status(first, "failed", error_message="100% of the disk is FULL: no space")
    other_pipeline = await tracker.register_pipeline("tidy_up", "Tidy the attic")
    other = await tracker.start_execution(other_pipeline)
    window = {"started_after": "2000-01-01T00:00:00Z"}

    assert await found(api, q=first) == [first]
    assert await found(api, q=first.upper()) == [first]
    assert await found(api, q=first[:9]) == [other, third, second, first]
    assert await found(api, q=first[9:]) == []
    assert await found(api, q="the ATTIC") == [other]
    assert await found(api, q="y_u") == [other]
    assert await found(api, q="n_g") == []
    assert await found(api, q="nightly", limit=2) == [third, second]
    assert await found(api, q="nightly", limit=2, cursor=second) == [first]
    assert await found(api, q="nightly", status="failed") == [first]
    assert await found(api, q="nightly", pipeline_id=other_pipeline) == []
    assert await found(api, q="is full") == [first]
    assert await found(api, q="is full", **window) == [first]
    assert await found(api, q="100%", **window) == [first]
    assert await found(api, q="1%", **window) == []
    assert await found(api, q="attic", **window) == [other]
    assert await found(api, q="is full", status=["failed", "cancelled"]) == [first]
    assert await found(api, status=["failed", "running"]) == [other, third, second, first]
    assert await found(api, q="  ") == [other, third, second, first]

    searched = (await read(api, "/api/executions", q="x"))["searched"]
    assert "errors of the newest 10,000 that failed" in searched
    assert (
        "errors of the newest 50 that failed" in (await read(api, "/api/executions", q="x", look_back=50))["searched"]
    )
    assert (await read(api, "/api/executions/statistics", q="x"))["searched"] == searched
    counted = await read(api, "/api/executions/statistics", q="nightly")
    assert (counted["by_status"]["running"], counted["by_status"]["failed"], counted["total"]) == (2, 1, 3)
    assert (await read(api, "/api/executions/statistics", q="is full", **window))["total"] == 1
    assert (await read(api, "/api/executions/statistics", q="is full"))["total"] == 1


async def test_what_has_no_index_is_looked_for_in_the_newest_and_the_answer_says_how_far_back(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    first, second, third = await start_many(tracker, pipeline_id, 3)
    assert await found(api, trigger="program", worker=tracker.owner, max_seconds=60) == [third, second, first]
    assert await found(api, min_seconds=60.5) == []
    assert await found(api, version=1) == []
    page = await read(api, "/api/executions", trigger="program", look_back=2)
    assert [item["execution_id"] for item in page["items"]] == [third, second]
    assert page["looked_back_to"] == (await read(api, f"/api/executions/{first}"))["created_at"]
    counted = await read(api, "/api/executions/statistics", trigger="program", look_back=2)
    assert (counted["total"], counted["capped"], counted["looked_back_to"]) == (2, ["running"], page["looked_back_to"])
    for wrong in ({"look_back": 0}, {"version": 0}, {"min_seconds": -1}, {"trigger": ""}, {"status": "done"}):
        status, problem = await refused(api, "/api/executions", **wrong)
        assert (status, problem["errors"][0]["field"].removesuffix(".0")) == (422, next(iter(wrong)))
    body = {"action": "cancel", "filter": {"trigger": "program", "look_back": 2, "status": "running"}, "dry_run": True}
    result = (await api.post("/api/executions/bulk", json=body)).json()
    assert (result["matched"], result["matched_capped"]) == (2, True)


async def test_an_execution_is_found_by_what_its_file_calls_searchable(
    api: httpx.AsyncClient, tracker: ExecutionTracker
) -> None:
    definition = {
        "name": "Ask",
        "searchable": ["input.customer", "input.paid"],
        "steps": [{"id": "ask", "type": "human_input", "prompt": "Well?"}],
        "flow": {"start_at": "ask"},
    }
    pipeline = (await api.post("/api/pipelines", json={"definition": definition})).json()
    address = f"/api/pipelines/{pipeline['id']}/executions"
    ids: list[str] = []
    for number, customer in enumerate(("acme", "other=1", "acme")):
        body = {"input_data": {"customer": customer, "paid": number > 0}}
        ids.append((await api.post(address, json=body)).json()["execution_id"])
    assert await found(api, attribute="input.customer=acme") == [ids[2], ids[0]]
    assert await found(api, attribute="input.customer=other=1") == [ids[1]]
    assert await found(api, attribute=["input.customer=acme", "input.paid=true"]) == [ids[2]]
    assert (await read(api, "/api/executions/statistics", attribute="input.customer=acme"))["total"] == 2
    assert (await api.post(f"/api/executions/{ids[1]}/cancel")).status_code == 202
    again = await api.post(f"/api/executions/{ids[1]}/rerun", json={"input_data": {"customer": "acme"}})
    assert await found(api, attribute="input.customer=acme") == [again.json()["execution_id"], ids[2], ids[0]]
    for wrong in ("acme", "=acme", "input.customer="):
        assert (await refused(api, "/api/executions", attribute=wrong))[0] == 422
    wrong_file = {**definition, "searchable": ["customer"]}
    refusal = await api.post("/api/pipelines", json={"definition": wrong_file})
    assert refusal.status_code == 422
    assert "a path such as input.customer" in refusal.text
    assert await tracker.get_execution(ids[0])


async def test_the_last_good_execution_before_one(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    first, second, third = await start_many(tracker, pipeline_id, 3)
    assert await read(api, f"/api/executions/{third}/last-good") == {"execution": None}
    await tracker.update_execution_status(first, "completed")
    await tracker.update_execution_status(second, "failed")
    good = (await read(api, f"/api/executions/{third}/last-good"))["execution"]
    assert (good["execution_id"], good["status"]) == (first, "completed")
    assert (await refused(api, "/api/executions/nobody/last-good"))[0] == 404


async def test_a_list_that_takes_too_long_is_given_up(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_service, "PATIENCE_SECONDS", 0)
    for path in ("/api/executions", "/api/executions/statistics"):
        status, problem = await refused(api, path)
        assert (status, problem["type"]) == (503, "urn:ia-modules:read-too-long")


async def test_lists_shorten_errors_and_the_execution_itself_does_not(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    [execution_id] = await start_many(tracker, pipeline_id, 1)
    message = "ü" * 3_000
    await tracker.update_execution_status(execution_id, "failed", error_message=message)
    [item] = (await read(api, "/api/executions"))["items"]
    assert item["error_message"] == message[:500]
    assert (await read(api, f"/api/executions/{execution_id}"))["error_message"] == message


async def test_a_filter_that_does_not_exist_is_refused_and_not_overlooked(api: httpx.AsyncClient) -> None:
    for path in ("/api/executions", "/api/executions/statistics"):
        status, problem = await refused(api, path, state="failed")
        assert (status, problem["errors"][0]["field"]) == (422, "state")
    for body in (
        {"action": "cancel", "filter": {"state": "failed"}},
        {"action": "cancel"},
        {"action": "cancel", "filter": {}, "execution_ids": ["a"]},
        {"action": "cancel", "execution_ids": []},
        {"action": "cancel", "execution_ids": ["a"] * 1001},
        {"action": "stop", "filter": {}},
    ):
        answer = await api.post("/api/executions/bulk", json=body)
        assert answer.status_code == 422, body


async def test_log_lines_come_oldest_first_in_pages_by_step_level_and_text(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    execution_id = await tracker.start_execution(pipeline_id)
    [step] = await start_steps(tracker, execution_id, 1)
    for number, level in enumerate(("debug", "info", "warning", "error") * 2):
        where = step if number % 2 else None
        await tracker.log(execution_id, f"Line {number}", level=level, step_execution_id=where, data={"n": number})
    await tracker.log(await tracker.start_execution(pipeline_id), "another's")
    path = f"/api/executions/{execution_id}/logs"

    async def lines(**query: Any) -> list[str]:
        return [line["message"].removeprefix("Line ") for line in (await read(api, path, **query))["items"]]

    assert await lines() == [*"01234567"]
    assert await lines(level="warning") == [*"2367"]
    assert await lines(step_execution_id=step) == [*"1357"]
    assert await lines(step_execution_id=step, level="error", q="LINE 7") == ["7"]
    assert await lines(q="%") == []
    assert (await read(api, path))["left_out"] == 0
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while query.get("cursor", "") is not None:
        page = await read(api, path, **query)
        seen += [line["log_id"] for line in page["items"]]
        query["cursor"] = page["next_cursor"]
    assert seen == [line["log_id"] for line in (await read(api, path))["items"]]
    assert (await read(api, path))["items"][3]["data"] == {"n": 3}
    gap = LogLine(log_id=new_id(), message="7 left out", data=JsonText('{"left_out":7}'), logger=GAP_LOGGER)
    await tracker.record(Transition(execution_id=ExecutionId(execution_id), writer=tracker.owner, logs=(gap,)))
    found = await read(api, path, q="no line has this")
    assert (found["left_out"], [line["logger"] for line in found["items"]]) == (7, [GAP_LOGGER])
    assert (await refused(api, path, cursor="x"))[0] == 422
    assert (await refused(api, "/api/executions/nobody/logs"))[0] == 404


async def test_what_a_person_is_asked_comes_with_the_execution(
    api: httpx.AsyncClient, tracker: ExecutionTracker, server: Server
) -> None:
    [execution_id], _ = await queue_some(api, 1)
    async with server.watch(execution_id) as client:
        while (await receive(client))["messages"][-1]["data"]["status"] != "waiting_for_human":
            pass
    detail = await read(api, f"/api/executions/{execution_id}")
    [question] = detail["interactions"]
    assert (question["status"], question["prompt"], question["ui_schema"]) == ("pending", "Well?", {"type": "object"})
    assert question["step_execution_id"] == detail["steps"][0]["step_execution_id"]
    assert (question["deadline_at"], question["completed_at"], question["actor"]) == (None, None, None)


async def test_an_export_has_everything_on_record_in_one_file(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    large = "x" * 100_000
    async with tracker.execution(pipeline_id, input_data={"text": large}) as execution:
        for number in range(120):
            async with execution.step(f"s{number}", input_data=large if number == 7 else None) as step:
                await step.log("hello", data={"large": large} if number == 7 else None)
                step.output = {"n": number}
    answer = await idle.get(f"/api/executions/{execution.id}/export")

    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="execution-{execution.id}.json"'
    file = answer.json()
    assert ExportOut.model_validate(file).definition is None
    detail = await read(idle, f"/api/executions/{execution.id}")
    assert file["execution"]["input_data"] == {"text": large}
    assert {name: detail[name] for name in file["execution"] if name not in ("input_data", "metadata")} == {
        name: value for name, value in file["execution"].items() if name not in ("input_data", "metadata")
    }
    assert [step["step_execution_id"] for step in file["steps"]] == [s["step_execution_id"] for s in detail["steps"]]
    assert [step["output_data"] for step in file["steps"]] == [{"n": number} for number in range(120)]
    assert file["steps"][7]["input_data"] == large
    assert (len(file["logs"]), file["logs"][7]["data"]) == (120, {"large": large})
    assert (await refused(idle, "/api/executions/nobody/export"))[0] == 404

    [queued], _ = await queue_some(idle, 1)
    file = (await idle.get(f"/api/executions/{queued}/export")).json()
    assert file["definition"]["steps"][0]["id"] == "ask"


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
    ("record", "answer", "added"),
    [
        (
            ExecutionRecord,
            ExecutionDetail,
            {"input_bytes", "output_bytes", "steps", "more_steps", "queue_seconds", "started_by", "cause"}
            | {"rerun_ids", "interactions", "trace_id", "trace_url"},
        ),
        (StepExecutionRecord, StepDetail, {"input_refs_bytes", "traceback_bytes"}),
        (LogRecord, LogOut, {"data_omitted"}),
    ],
)
def test_answers_have_every_field_of_their_records(record: type[Struct], answer: type, added: set[str]) -> None:
    added_to_all_payloads = {"duration_seconds", "metadata_bytes", "omitted"}
    assert set(record.__struct_fields__) == set(answer.model_fields) - added - added_to_all_payloads
