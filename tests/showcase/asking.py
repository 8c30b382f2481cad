"""What tests of the API ask again and again."""

from typing import Any

import httpx

from ia_modules.models import ExecutionId, PipelineId
from ia_modules.tracker.execution_tracker import ExecutionTracker


async def read(api: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(api: httpx.AsyncClient, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
    """Status and problem of a request that is refused."""
    answer = await api.get(path, params=query or None)  # an empty query would take the path's own away
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()


async def start_many(tracker: ExecutionTracker, pipeline_id: PipelineId, number: int) -> list[ExecutionId]:
    return [await tracker.start_execution(pipeline_id, "Nightly import", {"n": n}) for n in range(number)]


async def found(api: httpx.AsyncClient, **query: Any) -> list[str]:
    return [item["execution_id"] for item in (await read(api, "/api/executions", **query))["items"]]


async def queue_some(api: httpx.AsyncClient, number: int) -> tuple[list[str], PipelineId]:
    """Executions of a pipeline with a definition, which no worker runs, newest first."""
    definition = {
        "name": "Ask",
        "steps": [{"id": "ask", "type": "human_input", "prompt": "Well?"}],
        "flow": {"start_at": "ask"},
    }
    pipeline = (await api.post("/api/pipelines", json={"definition": definition})).json()
    started = [
        (await api.post("/api/pipelines/ask/executions", json={"input_data": {"n": n}})).json()["execution_id"]
        for n in range(number)
    ]
    return started[::-1], pipeline["id"]
