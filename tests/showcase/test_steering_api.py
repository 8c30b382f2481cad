"""What a person does to executions: cancel, run again, one or many."""

from typing import Any

import httpx

from ia_modules.client import Client
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
        {"items": "failed"},
        {"from_step": "a", "items": "all"},
    ]
    assert [(await idle.post(address, json=body)).status_code for body in wrong] == [422] * 6
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

    nothing = {"matched_capped": False, "refused": [], "left_out": [], "token": None, "steps": []}
    dry = await bulk(action="cancel", filter={"pipeline_id": asking}, dry_run=True)
    assert dry == {"matched": 6, "done": 0, **nothing, "token": dry["token"]}
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


async def test_an_action_on_many_takes_the_token_of_its_dry_run_and_touches_no_others(idle: httpx.AsyncClient) -> None:
    ids, asking = await queue_some(idle, 3)

    async def bulk(key: str | None = None, **body: Any) -> dict[str, Any]:
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = await idle.post("/api/executions/bulk", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    dry = await bulk(action="cancel", filter={"pipeline_id": asking}, dry_run=True)
    [late], _ = await queue_some(idle, 1)
    assert (await bulk(action="cancel", token=dry["token"], reason="The wrong day."))["done"] == 3
    assert (await read(idle, f"/api/executions/{late}"))["status"] == "pending"

    again: dict[str, Any] = {"action": "rerun", "rerun": {"input_data": {"n": 7}}}
    dry = await bulk(**again, filter={"status": "cancelled"}, dry_run=True)
    assert (dry["matched"], dry["left_out"]) == (3, [])
    [step] = dry["steps"]
    assert step == {
        "step_id": "ask",
        "step_name": "ask",
        "effect": None,
        "effect_text": "not said: may have effects",
        "may_have_effects": True,
        "executions": 3,
    }
    twice = [await bulk("mine", **again, token=dry["token"]) for _ in range(2)]
    assert [(each["done"], each["refused"], each["left_out"]) for each in twice] == [(3, [], [])] * 2
    assert len(await found(idle, status="pending")) == 4
    parts = [await bulk("mine", **again, token=dry["token"], skip=skip, limit=2) for skip in (0, 2, 4)]
    assert [(each["matched"], each["done"]) for each in parts] == [(2, 2), (1, 1), (0, 0)]
    assert len(await found(idle, status="pending")) == 4
    other = await bulk(**again, token=dry["token"])
    assert other["done"] == 0
    assert {each["execution_id"]: each["status"] for each in other["left_out"]} == dict.fromkeys(ids, "pending")
    assert (await bulk(**again, execution_ids=ids[:1]))["done"] == 1

    wrong: list[dict[str, Any]] = [
        {"action": "cancel", "token": dry["token"]},
        {"action": "rerun", "token": "x"},
        {"action": "rerun", "token": dry["token"], "filter": {}},
        {"action": "rerun"},
        {"action": "cancel", "execution_ids": ids, "rerun": {}},
        {"action": "rerun", "execution_ids": ids, "reason": "x"},
        {"action": "rerun", "execution_ids": ids, "rerun": {"step_input": {}}},
        {"action": "rerun", "execution_ids": ids, "skip": 1},
        {"action": "rerun", "token": dry["token"], "limit": 1001},
    ]
    assert [(await idle.post("/api/executions/bulk", json=body)).status_code for body in wrong] == [422] * 9


async def test_what_a_rerun_or_a_resume_would_run_is_asked_before_and_starts_nothing(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    [first], _ = await queue_some(idle, 1)
    address = f"/api/executions/{first}"
    planned = await idle.post(f"{address}/rerun/plan")
    ask = {"step_id": "ask", "step_name": "ask", "effect": None, "effect_text": "not said: may have effects"}
    assert (planned.status_code, planned.json()) == (
        200,
        {
            "kept": [],
            "begins": [{"step_id": "ask", "iteration": 1}],
            "by_hand": None,
            "asked_again": [],
            "steps": [{**ask, "may_have_effects": True, "runs": 0}],
            "items": None,
        },
    )
    refused = await idle.post(f"{address}/rerun/plan", json={"from_step": "nowhere"})
    assert (refused.status_code, "a step that has run" in refused.json()["detail"]) == (422, True)
    assert (await read(idle, f"{address}/resume/plan"))["steps"] == planned.json()["steps"]
    assert await found(idle) == [first]
    recorded = await tracker.start_execution(pipeline_id)
    assert (await idle.get(f"/api/executions/{recorded}/resume/plan")).status_code == 409
    assert (await idle.post("/api/executions/nobody/rerun/plan")).status_code == 404


async def test_what_does_not_fit_a_version_is_told_with_the_earliest_step_that_does(
    idle: httpx.AsyncClient, database: DatabaseManager
) -> None:
    def asking(prompt: str) -> dict[str, Any]:
        first = {"id": "first", "type": "human_input", "config": {"prompt": prompt, "carries": True}}
        paths = [{"from": "first", "to": "second"}]
        steps = [first, {"id": "second", "type": "human_input"}]
        return {"name": "Two", "steps": steps, "flow": {"start_at": "first", "paths": paths}}

    async with Client(database) as client:
        await client.register(asking("Well?"))
        waiting = await client.run("two")
        await client.answer(waiting["interaction_id"], {}, actor="ann")
        await (await client.resume(waiting["execution_id"])).to_end()
        await client.register(asking("And?"), new_version=True)
    address = f"/api/executions/{waiting['execution_id']}/rerun"
    for path in (address, f"{address}/plan"):
        refused = await idle.post(path, json={"from_step": "second", "version": 2})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ia-modules:rerun-refused")
        misfit = {"steps": [{"step_id": "first", "detail": "has other config"}], "fits_from": "first"}
        assert refused.json()["misfit"] == misfit
    fits = await idle.post(f"{address}/plan", json={"from_step": "first", "version": 2})
    assert [step["step_id"] for step in fits.json()["steps"]] == ["first", "second"]


async def test_only_the_failed_items_of_a_map_are_planned_and_run_again(
    idle: httpx.AsyncClient, database: DatabaseManager
) -> None:
    mapped = {"over": "{parameters.texts}", "on_item_failure": "continue"}
    read = {"id": "read", "module": "ia_modules.steps", "step_class": "read_table", "map": mapped}
    read |= {"inputs": {"text": "{item}"}}
    document = {"name": "Texts", "parameters": [{"name": "texts"}], "steps": [read], "flow": {"start_at": "read"}}
    async with Client(database) as client:
        await client.register(document)
        first = await client.run("texts", {"texts": ["a,b\n1,2", "", "a\n3"]})
        good = await client.run("texts", {"texts": ["a\n1"]})
    address, failed = f"/api/executions/{first['execution_id']}/rerun", {"from_step": "read", "items": "failed"}
    plan = await idle.post(f"{address}/plan", json=failed)
    assert (plan.status_code, plan.json()["items"]) == (
        200,
        {"step_id": "read", "iteration": 1, "kept": 2, "runs": 1},
    )
    begun = await idle.post(address, json=failed)
    assert begun.status_code == 202
    detail = (await idle.get(begun.headers["location"])).json()
    assert [(row["step_id"], row["items"]) for row in detail["overrides"]] == [("read", "failed")]
    refused = await idle.post(f"/api/executions/{good['execution_id']}/rerun", json=failed)
    assert (refused.status_code, [each["field"] for each in refused.json()["errors"]]) == (422, ["items"])
    assert "of which no item has failed" in refused.json()["detail"]
    edited = await idle.post(f"{address}/plan", json={**failed, "step_output": {}})
    assert (edited.status_code, [each["field"] for each in edited.json()["errors"]]) == (422, ["items"])


async def test_every_verb_takes_a_key_and_does_nothing_twice(idle: httpx.AsyncClient) -> None:
    [first], _ = await queue_some(idle, 1)
    for verb in ("cancel", "resume", "rerun"):
        headers = {"Idempotency-Key": f"my-{verb}"}
        body = {} if verb == "rerun" else {"reason": "It was asked for."}
        twice = [await idle.post(f"/api/executions/{first}/{verb}", json=body, headers=headers) for _ in range(2)]
        assert [each.status_code for each in twice] == [202, 202]
        assert twice[0].json()["execution_id"] == twice[1].json()["execution_id"]
    assert len(await found(idle)) == 2
