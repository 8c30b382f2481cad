"""Traces over HTTP: what a request begins stands in its caller's trace, and the answer says where that is found."""

import httpx
import pytest

from ia_modules.models import PipelineId
from ia_modules.traces.ids import span_id_of
from ia_modules.tracker.execution_tracker import ExecutionTracker
from tests.showcase.asking import read
from tests.showcase.server import Server, running
from tests.unit.traces.collecting import Collector, ids_of
from tests.unit.worker.queue import until

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
OUTER = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
PIPELINE = {
    "name": "Waits",
    "steps": [{"id": "wait", "type": "human_input", "config": {"prompt": "Go on?"}}],
    "flow": {"start_at": "wait"},
}


@pytest.mark.parametrize(("header", "trace_id"), [(OUTER, TRACE_ID), ("none", None), (None, None)])
async def test_what_a_request_begins_stands_in_its_callers_trace(
    idle: httpx.AsyncClient, tracker: ExecutionTracker, header: str | None, trace_id: str | None
) -> None:
    stored = await idle.post("/api/pipelines", json={"definition": PIPELINE})
    assert stored.status_code == 201, stored.text
    headers = {} if header is None else {"traceparent": header}
    started = await idle.post(f"/api/pipelines/{stored.json()['id']}/executions", json={}, headers=headers)
    execution_id = started.json()["execution_id"]
    detail = await read(idle, f"/api/executions/{execution_id}")
    assert detail["trace_id"] == (trace_id or execution_id.replace("-", ""))
    assert detail["trace_url"] is None
    repeated = await idle.post(f"/api/executions/{execution_id}/rerun", headers=headers)
    record = await tracker.get_execution(repeated.json()["execution_id"])
    assert record is not None
    assert record.traceparent == (None if trace_id is None else OUTER)


async def test_the_server_writes_what_it_runs_and_says_where_the_trace_is_found(
    database_url: str, tracker: ExecutionTracker, pipeline_id: PipelineId
) -> None:
    collector = Collector(page_url="https://runs.example.com")
    template = "https://traces.example.com/trace/{trace_id}"
    server = Server(database_url, traces=collector.traces, trace_url=template)
    with running(server):
        async with server.client() as api:
            stored = await api.post("/api/pipelines", json={"definition": PIPELINE})
            path = f"/api/pipelines/{stored.json()['id']}/executions"
            execution_id = (await api.post(path, json={}, headers={"traceparent": OUTER})).json()["execution_id"]

            async def status() -> str:
                return (await read(api, f"/api/executions/{execution_id}"))["status"]

            await until(status, lambda status: status == "waiting_for_human")
            (question,) = (await read(api, f"/api/interactions?execution_id={execution_id}"))["items"]
            answer = {"response": {"go": True}, "responded_by": "ann"}
            answered = await api.post(f"/api/interactions/{question['interaction_id']}/respond", json=answer)
            assert answered.status_code == 202, answered.text
            await until(status, lambda status: status == "completed")
            detail = await read(api, f"/api/executions/{execution_id}")
    assert detail["trace_url"] == f"https://traces.example.com/trace/{TRACE_ID}"
    root = collector.of(execution_id)
    assert f"{ids_of(root)[0]:032x}" == TRACE_ID
    assert root.attributes is not None
    assert root.attributes["ia_modules.url"] == f"https://runs.example.com/executions/{execution_id}"
    (step,) = await tracker.get_execution_steps(execution_id)
    waited = collector.of(step.step_execution_id)
    assert waited.parent is not None
    assert waited.parent.span_id == span_id_of(execution_id)
