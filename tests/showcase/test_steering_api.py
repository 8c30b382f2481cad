"""What a person does to executions: cancel, run again, one or many."""

from typing import Any

import httpx

from ia_modules.database.manager import DatabaseManager
from ia_modules.models import PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.asking import found, queue_some, read, start_many


async def test_an_execution_is_cancelled_once(
    api: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    [execution_id] = await start_many(tracker, pipeline_id, 1)
    answer = await api.post(f"/api/executions/{execution_id}/cancel")
    assert (answer.status_code, answer.json()["cancel_requested"]) == (202, True)
    await tracker.update_execution_status(execution_id, "cancelled")
    again = await api.post(f"/api/executions/{execution_id}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "urn:ia-modules:already-finished")
    assert (await api.post("/api/executions/nobody/cancel")).status_code == 404


async def test_what_was_cancelled_goes_on_and_a_second_one_is_told_who_resumed_it(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    [queued], _ = await queue_some(idle, 1)
    address = f"/api/executions/{queued}"
    assert (await idle.post(f"{address}/cancel")).status_code == 202
    resumed = await idle.post(f"{address}/resume", json={"reason": "It was the wrong one."})
    assert (resumed.status_code, resumed.json()["status"], resumed.json()["execution_id"]) == (202, "pending", queued)
    again = await idle.post(f"{address}/resume")
    assert (again.status_code, again.json()["type"]) == (409, "urn:ia-modules:already-resumed")
    assert "resumed it at" in again.json()["detail"]
    wrong = await idle.post(f"{address}/resume", json={"because": "x"})
    assert wrong.status_code == 422
    recorded = await tracker.start_execution(pipeline_id)
    refusal = await idle.post(f"/api/executions/{recorded}/resume")
    assert (refusal.status_code, refusal.json()["type"]) == (409, "urn:ia-modules:pipeline-not-runnable")
    assert (await idle.post("/api/executions/nobody/resume")).status_code == 404


async def test_a_rerun_is_a_new_execution_of_the_same_version_with_the_same_input(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    [first], _ = await queue_some(idle, 1)
    reruns = [await idle.post(f"/api/executions/{first}/rerun") for _ in range(2)]

    for answer in reruns:
        assert answer.status_code == 202
        rerun = answer.json()
        assert answer.headers["location"] == f"/api/executions/{rerun['execution_id']}"
        assert (rerun["rerun_of"], rerun["trigger"], rerun["status"]) == (first, "rerun", "pending")
        detail = await read(idle, answer.headers["location"])
        assert (detail["input_data"], detail["pipeline_version"]) == ({"n": 0}, 1)
    detail = await read(idle, f"/api/executions/{first}")
    assert detail["rerun_ids"] == [answer.json()["execution_id"] for answer in reruns][::-1]

    recorded = await tracker.start_execution(pipeline_id)
    refusal = await idle.post(f"/api/executions/{recorded}/rerun")
    assert (refusal.status_code, refusal.json()["type"]) == (409, "urn:ia-modules:pipeline-not-runnable")
    assert (await idle.post("/api/executions/nobody/rerun")).status_code == 404


async def test_a_rerun_from_a_step_says_what_does_not_belong_together(idle: httpx.AsyncClient) -> None:
    [first], _ = await queue_some(idle, 1)
    address = f"/api/executions/{first}/rerun"
    wrong: list[dict[str, Any]] = [
        {"from_step": "a", "input_data": {}},
        {"step_input": {}},
        {"from_step": "nowhere"},
        {"from_step": "a", "iteration": 0},
    ]
    assert [(await idle.post(address, json=body)).status_code for body in wrong] == [422] * 4
    answer = await idle.post(address, json={"from_step": "nowhere"})
    assert "a step that has run" in answer.json()["detail"]
    twice = [
        await idle.post(address, json={"input_data": {"n": 5}}, headers={"Idempotency-Key": "mine"}) for _ in range(2)
    ]
    assert [each.status_code for each in twice] == [202, 202]
    assert twice[0].json()["execution_id"] == twice[1].json()["execution_id"]
    detail = await read(idle, twice[0].headers["location"])
    assert detail["input_data"]["n"] == 5


async def test_many_are_cancelled_or_run_again_at_once_and_what_cannot_be_is_told(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId, database: DatabaseManager
) -> None:
    ids, asking = await queue_some(idle, 6)
    recorded = await tracker.start_execution(pipeline_id)

    async def bulk(**body: Any) -> dict[str, Any]:
        answer = await idle.post("/api/executions/bulk", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    nothing = {"matched_capped": False, "refused": []}
    dry = await bulk(action="cancel", filter={"pipeline_id": asking}, dry_run=True)
    assert dry == {"matched": 6, "done": 0, **nothing}
    assert await found(idle, status="cancelled") == []
    assert await bulk(action="cancel", execution_ids=ids[:2] * 2) == {"matched": 2, "done": 2, **nothing}
    assert await found(idle, status="cancelled") == ids[:2]
    audited = "SELECT subject FROM audit_log WHERE actor = 'local' AND action = 'execution.cancel' ORDER BY subject"
    assert [row["subject"] for row in await database.fetch_all_async(audited)] == sorted(ids[:2])
    dry = await bulk(action="cancel", execution_ids=[ids[0], ids[2], "nobody"], dry_run=True)
    mixed = await bulk(action="cancel", execution_ids=[ids[0], ids[2], "nobody"])
    assert dry == mixed | {"done": 0}
    assert (mixed["matched"], mixed["done"]) == (3, 1)
    assert {each["execution_id"] for each in mixed["refused"]} == {ids[0], "nobody"}
    assert "already cancelled" in mixed["refused"][0]["reason"]
    assert await bulk(action="cancel", filter={"q": "ask"}) == {"matched": 3, "done": 3, **nothing}
    assert await bulk(action="cancel", filter={"status": "cancelled"}) == {"matched": 0, "done": 0, **nothing}

    assert (await bulk(action="rerun", filter={"pipeline_id": asking, "status": "cancelled"}))["done"] == 6
    assert len(await found(idle, status="pending")) == 6
    dry = await bulk(action="rerun", execution_ids=[recorded, ids[0]], dry_run=True)
    assert len(await found(idle, status="pending")) == 6
    refused_one = await bulk(action="rerun", execution_ids=[recorded])
    assert (dry["matched"], dry["done"], dry["refused"]) == (2, 0, refused_one["refused"])
    assert (refused_one["done"], refused_one["refused"][0]["execution_id"]) == (0, recorded)
